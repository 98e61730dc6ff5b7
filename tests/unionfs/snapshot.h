// SPDX-License-Identifier: Apache-2.0
// A tree as text, to be compared with another: equal texts, equal trees.
#pragma once

#include <map>
#include <string>

namespace lyr::unionfs {

// By path: mode, owner, device, extended attributes, link count and first name of the same inode,
// content, target. `with_times`: modification times too. Without `with_links` the count is left
// out.
std::map<std::string, std::string> snapshot(const std::string& root, bool with_times,
                                            bool with_links = true);

// Where two of them differ, a line each; empty: nowhere.
std::string differences(const std::map<std::string, std::string>& left,
                        const std::map<std::string, std::string>& right);

std::string read_whole(const std::string& path);

}  // namespace lyr::unionfs
