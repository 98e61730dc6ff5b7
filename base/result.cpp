// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <cstring>

namespace lyr {

Failure fail_again(const Error& error) {
  Error copy{error.code, error.call, nullptr};
  if (error.subject) copy.subject = std::make_unique<std::string>(*error.subject);
  return Failure(std::move(copy));
}

std::string describe(const Error& error) {
  if (*error.call == '\0' && error.subject != nullptr) return *error.subject;
  std::string text = error.call;
  if (error.subject != nullptr) text += ": " + *error.subject;
  // Data that is wrong: the subject says what about it, and "Bad message" nothing more.
  if (error.code == EBADMSG && error.subject != nullptr) return text;
  char buffer[128];
  // GNU strerror_r: returns the text, which need not be in the buffer.
  text += ": ";
  text += strerror_r(error.code, buffer, sizeof buffer);
  return text;
}

}  // namespace lyr
