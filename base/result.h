// SPDX-License-Identifier: Apache-2.0
// Errors are values: Result<T> is what a call yields, TRY hands an error on. Nothing of ours
// throws.
#pragma once

#include <cerrno>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace lyr {

struct [[nodiscard]] Error {
  int code;                                        // errno value, never 0
  const char* call;                                // string literal: "openat2"
  std::unique_ptr<std::string> subject = nullptr;  // what it failed on; null on hot paths
};

template <class T = void>
using Result = std::expected<T, Error>;

using Failure = std::unexpected<Error>;

// The error of a call that has no object worth naming; allocates nothing.
inline Failure fail(int code, const char* call) { return Failure(Error{code, call}); }

// The error of a call on `subject` (a path, a digest, a name: what a person can act on).
inline Failure fail(int code, const char* call, std::string subject) {
  return Failure(Error{code, call, std::make_unique<std::string>(std::move(subject))});
}

// The error of a whole task, as one ready-made sentence for a person: what was asked, what failed,
// what to do. describe() prints it as it is.
inline Failure fail_saying(int code, std::string sentence) {
  return Failure(Error{code, "", std::make_unique<std::string>(std::move(sentence))});
}

// The same error once more, for who else asks: an Error is moved, not copied.
Failure fail_again(const Error& error);

// errno as it stands now.
inline Failure fail_errno(const char* call) { return fail(errno, call); }

// Names what `result` failed on, unless it is named already.
template <class T>
Result<T> about(Result<T>&& result, std::string_view subject) {
  if (!result && result.error().subject == nullptr) {
    result.error().subject = std::make_unique<std::string>(subject);
  }
  return std::move(result);
}

// "openat2: /x/y: No such file or directory", for logs and for the end of a person's message. Of
// EBADMSG the subject is all that is said.
std::string describe(const Error& error);

}  // namespace lyr

// Yields the value, or returns the error from this function. Stands alone: never nested and never
// inside a braced initialiser, where g++ 12 leaks what was built before it.
#define TRY(expr)                                                             \
  __extension__({                                                             \
    auto try_result_ = (expr);                                                \
    if (!try_result_) [[unlikely]] {                                          \
      return ::std::unexpected<::lyr::Error>(std::move(try_result_).error()); \
    }                                                                         \
    std::move(try_result_).value();                                           \
  })
