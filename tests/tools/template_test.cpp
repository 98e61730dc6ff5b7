// SPDX-License-Identifier: Apache-2.0
// The part of Go's templates that --format takes, and what it says of the rest.
#include "tools/template.h"

#include <gtest/gtest.h>

namespace lyr::tools {
namespace {

const Json value = {{"Name", "web"},
                    {"State", {{"Pid", 7}, {"Running", true}}},
                    {"Args", {"a", "b"}},
                    {"Labels", {{"org.x", "y"}}},
                    {"Nothing", nullptr}};

std::string rendered(std::string_view text) { return render(text, value).value(); }

TEST(Template, FieldsAndText) {
  EXPECT_EQ(rendered("plain"), "plain");
  EXPECT_EQ(rendered("{{.Name}}: {{ .State.Pid }}"), "web: 7");
  EXPECT_EQ(rendered("{{.State.Running}}"), "true");
  EXPECT_EQ(rendered("{{.Args}}"), "[a b]");
  EXPECT_EQ(rendered("{{.Labels}}"), "map[org.x:y]");
  EXPECT_EQ(rendered("{{.Nothing}}"), "<no value>");
  EXPECT_EQ(rendered(R"({{.Name}}\t{{.Name}}\n)"), "web\tweb\n");
}

TEST(Template, Functions) {
  EXPECT_EQ(rendered("{{json .State}}"), R"({"Pid":7,"Running":true})");
  EXPECT_EQ(rendered("{{upper .Name}} {{lower \"ABC\"}} {{title .Name}}"), "WEB abc Web");
  EXPECT_EQ(rendered("{{join .Args \", \"}}"), "a, b");
  EXPECT_EQ(rendered("{{len .Args}}"), "2");
  EXPECT_EQ(rendered("{{index .Args 1}}"), "b");
  EXPECT_EQ(rendered("{{index .Labels \"org.x\"}}"), "y");
  EXPECT_EQ(rendered("{{println .Name}}"), "web\n");
}

TEST(Template, BlocksAndVariables) {
  EXPECT_EQ(rendered("{{if .State.Running}}up{{else}}down{{end}}"), "up");
  EXPECT_EQ(rendered("{{if not .State.Running}}up{{else}}down{{end}}"), "down");
  EXPECT_EQ(rendered("{{if eq .Name \"x\"}}x{{else if eq .Name \"web\"}}w{{else}}?{{end}}"), "w");
  EXPECT_EQ(rendered("{{if and .Name .Nothing}}both{{end}}"), "");
  EXPECT_EQ(rendered("{{range .Args}}<{{.}}>{{end}}"), "<a><b>");
  EXPECT_EQ(rendered("{{range $i, $a := .Args}}{{$i}}{{$a}}{{$.Name}} {{end}}"), "0aweb 1bweb ");
  EXPECT_EQ(rendered("{{range $k, $v := .Labels}}{{$k}}={{$v}}{{end}}"), "org.x=y");
  EXPECT_EQ(rendered("{{range .Nothing}}x{{else}}none{{end}}"), "none");
  EXPECT_EQ(rendered("{{with .State}}{{.Pid}}{{end}}"), "7");
  EXPECT_EQ(rendered("{{range .Args}}{{if eq . \"b\"}}{{.}}{{end}}{{end}}"), "b");
  EXPECT_EQ(rendered("a {{- /* said */ -}} b{{- .Name -}} c"), "abwebc");
}

TEST(Template, Pipes) {
  EXPECT_EQ(rendered("{{.State | json}}"), R"({"Pid":7,"Running":true})");
  EXPECT_EQ(rendered("{{.Name|upper|lower}}"), "web");
  EXPECT_EQ(rendered("{{slice .Name 0 2}} {{truncate .Name 1}}"), "we w");
}

TEST(Template, MistakesAreSaid) {
  for (const char* wrong : {"{{",
                            "{{}}",
                            "{{.Name",
                            "{{.Missing}}",
                            "{{.Name.More}}",
                            "{{Name}}",
                            "{{frob .Name}}",
                            "{{json}}",
                            "{{join .Name \",\"}}",
                            "{{index .Args 9}}",
                            "{{json \"open}}",
                            "{{if}}x{{end}}",
                            "{{if .Name}}",
                            "{{end}}",
                            "{{else}}",
                            "{{range .Name}}{{end}}",
                            "{{$x}}",
                            "{{.Name | frob}}",
                            "{{| json}}",
                            "{{range a, b := .Args}}{{end}}",
                            "{{if .Name}}{{else range}}{{end}}"}) {
    auto text = render(wrong, value);
    ASSERT_FALSE(text) << wrong;
    EXPECT_TRUE(describe(text.error()).starts_with("--format: ")) << describe(text.error());
  }
  EXPECT_FALSE(render(std::string(template_bytes_max + 1, 'x'), value));
}

TEST(Template, DepthIsLimited) {
  std::string deep;
  for (int i = 0; i < 10000; ++i) deep += "{{if 1}}";
  EXPECT_FALSE(render(deep, value));
}

TEST(Template, RowsAreLinesJsonOrATable) {
  std::vector<Json> rows{{{"Name", "a"}, {"Tag", "1"}}, {{"Name", "bb"}, {"Tag", "2"}}};
  EXPECT_EQ(render_rows("{{.Name}}", rows).value(), "a\nbb\n");
  EXPECT_EQ(render_rows("json", rows).value(),
            "{\"Name\":\"a\",\"Tag\":\"1\"}\n{\"Name\":\"bb\",\"Tag\":\"2\"}\n");
  Json headings{{"Name", "NAME"}, {"Tag", "TAG"}};
  EXPECT_EQ(render_rows(R"(table {{.Name}}\t{{.Tag}})", rows, headings).value(),
            "NAME      TAG\n"
            "a         1\n"
            "bb        2\n");
}

}  // namespace
}  // namespace lyr::tools
