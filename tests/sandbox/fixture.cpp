// SPDX-License-Identifier: Apache-2.0
#include "tests/sandbox/fixture.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "base/sys_socket.h"

namespace lyr::sandbox::testing {
namespace {

constexpr const char* test_user = "lyrtest";

template <class T>
T must(Result<T>&& result) {
  if (!result) ADD_FAILURE() << describe(result.error());
  CHECK(result.has_value());
  return std::move(*result);
}

void must(Result<>&& result) {
  if (!result) ADD_FAILURE() << describe(result.error());
  CHECK(result.has_value());
}

Ran failed(Error error, const std::vector<std::string>& warnings = {}) {
  return {.error_code = error.code,
          .error_call = error.call,
          .error = describe(error),
          .warnings = warnings};
}

nlohmann::json to_json(const Ran& ran) {
  return {{"exit_code", ran.exit_code},   {"out", ran.out},     {"error_code", ran.error_code},
          {"error_call", ran.error_call}, {"error", ran.error}, {"warnings", ran.warnings}};
}

Ran from_json(const std::string& text) {
  auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) return {.error = text};
  return {json["exit_code"],  json["out"],   json["error_code"],
          json["error_call"], json["error"], json["warnings"]};
}

std::string dump(const Ran& ran) {
  return to_json(ran).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

struct Pipe {
  Fd read;
  Fd write;
};

// A socket pair as a pipe: /dev/stdout of a program can be reopened only if it is a real one, so a
// fifo is what programs get.
Pipe make_pipe() {
  int ends[2];
  CHECK(::pipe2(ends, O_CLOEXEC) == 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

std::string drain(const Fd& fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    auto got = sys::read(fd, std::as_writable_bytes(std::span(buffer)));
    if (!got || *got == 0) return text;
    text.append(buffer, *got);
  }
}

void become_test_user() {
  struct passwd* user = ::getpwnam(test_user);
  CHECK(user != nullptr);
  CHECK(::setgroups(0, nullptr) == 0 && ::setgid(user->pw_gid) == 0 && ::setuid(user->pw_uid) == 0);
  // A change of ids makes a process undumpable; one that was started by a login is not.
  CHECK(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
}

void require_test_user() {
  if (::getpwnam(test_user) != nullptr) return;
  std::string command = std::string("useradd --system --no-create-home ") + test_user +
                        " && usermod --add-subuids 300000-365535 --add-subgids 300000-365535 " +
                        test_user;
  auto child = must(sys::spawn([&] {
    return static_cast<void>(sys::execve("/bin/sh", {"sh", "-c", command},
                                         {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"})),
           127;
  }));
  auto ending = must(sys::wait_pidfd(child.pidfd));
  CHECK(ending && ending->shell_code() == 0);
}

}  // namespace

std::string mode_name(Mode mode) {
  return mode == Mode::root ? "root" : mode == Mode::rootless ? "rootless" : "single";
}

void SandboxTest::SetUp() {
  ASSERT_EQ(::geteuid(), 0U) << "these tests start as root and become a user themselves";
  char name[] = "/tmp/lyr-sandbox-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  directory_ = name;
  root_ = directory_ + "/root";
  Fd directory = must(sys::open(name, O_RDONLY | O_DIRECTORY));
  for (const char* path : {"root/bin", "root/etc", "root/tmp"})
    must(sys::mkdir_all_at(directory, path, 0755));
  for (const auto& [from, to] : {std::pair<std::string, std::string>(LYR_BUSYBOX, "busybox"),
                                 {LYR_SANDBOX_PROBE, "probe"}}) {
    std::string text = must(sys::read_file_at(sys::cwd(), from.c_str(), 64 << 20));
    Fd file = must(sys::open((root_ + "/bin/" + to).c_str(), O_CREAT | O_WRONLY, 0755));
    must(sys::write_all(file, text));
  }
  must(sys::symlink_at("busybox", directory, "root/bin/sh"));
  if (GetParam() != Mode::root) {
    require_test_user();
    struct passwd* user = ::getpwnam(test_user);
    for (const char* path : {".", "root", "root/bin", "root/etc", "root/tmp", "root/bin/busybox",
                             "root/bin/probe", "root/bin/sh"})
      must(sys::chown_at(directory, path, user->pw_uid, user->pw_gid));
  }
  bool single = GetParam() == Mode::single;
  auto text = as_caller([&] {
    auto chosen = choose_id_map(single);
    if (!chosen) return "FAILED " + describe(chosen.error());
    if (chosen->map.single != single) return "FAILED " + chosen->why_single;
    nlohmann::json json;
    for (const auto& range : chosen->map.uids)
      json["u"].push_back({range.container, range.host, range.count});
    for (const auto& range : chosen->map.gids)
      json["g"].push_back({range.container, range.host, range.count});
    return json.dump();
  });
  auto json = nlohmann::json::parse(text, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << text;
  for (const auto& range : json["u"]) map_.uids.push_back({range[0], range[1], range[2]});
  for (const auto& range : json["g"]) map_.gids.push_back({range[0], range[1], range[2]});
  map_.single = single;
}

void SandboxTest::TearDown() {
  if (!directory_.empty()) must(sys::remove_all_at(sys::cwd(), directory_.c_str()));
}

Spec SandboxTest::spec() {
  Spec spec = default_spec();
  spec.id = "test-" + std::to_string(::getpid());
  spec.root_path = root_;
  spec.hostname = "box";
  spec.id_map = map_;
  spec.process.env = {"PATH=/bin", "HOME=/"};
  return spec;
}

std::string SandboxTest::as_caller(const std::function<std::string()>& body) {
  auto pipe = make_pipe();
  auto child = must(sys::clone_process());
  if (child.pid == 0) {
    if (GetParam() != Mode::root) become_test_user();
    std::string text = body();
    static_cast<void>(sys::write_all(pipe.write, text));
    ::_exit(0);
  }
  pipe.write.reset();
  std::string text = drain(pipe.read);
  auto ending = must(sys::wait_pidfd(child.pidfd));
  EXPECT_TRUE(ending && ending->shell_code() == 0);
  return text;
}

Ran SandboxTest::run_here(const Spec& spec, const std::string& input) {
  auto in = make_pipe();
  auto out = make_pipe();
  Stdio stdio{std::move(in.read), must(sys::dup(out.write)), std::move(out.write)};
  auto launch = Launch::begin(spec, std::move(stdio));
  if (!launch) return failed(std::move(launch).error());
  auto started = launch->start();
  if (!started) return failed(std::move(started).error(), launch->warnings());
  Ran ran;
  ran.warnings = launch->warnings();
  static_cast<void>(sys::write_all(in.write, input));
  in.write.reset();
  ran.out = drain(out.read);
  auto ending = sys::wait_pidfd(launch->pidfd());
  if (ending && *ending) ran.exit_code = (*ending)->shell_code();
  auto removed = remove_cgroup(spec);
  if (!removed) ran.error = describe(removed.error());
  return ran;
}

Ran SandboxTest::run(const Spec& spec, const std::string& input) {
  return from_json(as_caller([&] { return dump(run_here(spec, input)); }));
}

Ran SandboxTest::shell(const std::string& script) { return shell(spec(), script); }

Ran SandboxTest::shell(Spec spec, const std::string& script) {
  spec.process.args = {"/bin/busybox", "sh", "-c", script};
  return run(spec);
}

std::string SandboxTest::beside(const Spec& spec, const std::function<std::string(Launch&)>& body) {
  return as_caller([&]() -> std::string {
    auto in = make_pipe();  // the container waits on it, and ends when we do
    auto launch = Launch::begin(spec, {std::move(in.read), Fd(), Fd()});
    if (!launch) return "FAILED " + describe(launch.error());
    auto started = launch->start();
    if (!started) return "FAILED " + describe(started.error());
    std::string text = body(*launch);
    auto killed = kill_all(spec, launch->pidfd());
    if (!killed) text += "FAILED " + describe(killed.error());
    static_cast<void>(sys::wait_pidfd(launch->pidfd()));
    auto removed = remove_cgroup(spec);
    if (!removed) text += "FAILED " + describe(removed.error());
    return text;
  });
}

Ran run_joined(const Spec& spec, const Launch& launch, const Process& process) {
  auto out = make_pipe();
  Stdio stdio{Fd(), must(sys::dup(out.write)), std::move(out.write)};
  auto joined = join(spec, launch.pidfd(), process, std::move(stdio));
  if (!joined) return failed(std::move(joined).error());
  Ran ran;
  ran.out = drain(out.read);
  auto ending = sys::wait_pidfd(joined->pidfd);
  if (ending && *ending) ran.exit_code = (*ending)->shell_code();
  return ran;
}

std::string read_text(const std::string& path) {
  auto text = sys::read_file_at(sys::cwd(), path.c_str());
  return text ? *text : "FAILED " + describe(text.error());
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace lyr::sandbox::testing
