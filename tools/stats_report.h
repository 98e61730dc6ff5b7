// SPDX-License-Identifier: Apache-2.0
// A store's numbers as text: tables for people, JSON and CSV for programs (docs/research.md says
// what each means).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/stats.h"

namespace lyr::tools {

std::string stats_table(const store::StoreStats& stats);
std::string stats_json(const store::StoreStats& stats);
std::string stats_csv(const store::StoreStats& stats);

using StatsWriter = std::string (*)(const store::StoreStats&);
// `format`: table, json or csv; else EINVAL.
Result<StatsWriter> stats_writer(std::string_view format);

}  // namespace lyr::tools
