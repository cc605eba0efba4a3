package omnibus_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"omnibus"
	"omnibus/bus"
	"omnibus/bus/driver"
	"omnibus/bus/membus"
	"omnibus/bus/plainbus"
	"omnibus/bus/sqsbus"
	_ "omnibus/internal/cleanenv"
)

// module is the module's path, which stands in go.mod and in imports alone.
var module = strings.TrimSuffix(reflect.TypeFor[bus.Queue]().PkgPath(), "/bus")

// local returns a package's path without the module's, "." for the one at the top,
// and whether it is one of the module's.
func local(pkg string) (string, bool) {
	if pkg == module {
		return ".", true
	}
	return strings.CutPrefix(pkg, module+"/")
}

// mayImport says which packages of this module each package may import, tests
// apart. Packages not named may import all.
var mayImport = map[string][]string{
	".":                         {},
	"bus/spec":                  {},
	"bus/engine":                {"bus/journal", "bus/spec"},
	"bus/journal":               {},
	"bus/journal/memdisk":       {"bus/journal"},
	"bus/driver":                {"bus/spec"},
	"bus":                       {"bus/driver", "bus/spec"},
	"bus/membus":                {"bus", "bus/driver", "bus/engine", "bus/spec", "bus/topics"},
	"bus/plainbus":              {"bus", "bus/driver", "bus/spec"},
	"bus/faulty":                {"bus/driver", "bus/spec"},
	"bus/sigv4":                 {},
	"bus/sqsserver":             {"bus/engine", "bus/internal/accesspolicy", "bus/internal/inprocess", "bus/internal/query", "bus/sigv4", "bus/spec"},
	"bus/topics":                {"bus/engine", "bus/spec"},
	"bus/snsserver":             {"bus/internal/accesspolicy", "bus/internal/inprocess", "bus/internal/query", "bus/sigv4", "bus/spec", "bus/topics"},
	"bus/internal/accesspolicy": {},
	"bus/internal/inprocess":    {},
	"bus/internal/protocoltest": {},
	"bus/internal/query":        {"bus/spec"},
	"bus/sqsbus":                {"bus", "bus/driver", "bus/spec"},
	"bus/bustest":               {"bus", "bus/driver", "bus/spec"},
	"internal/cleanenv":         {},
	"internal/origin":           {},
	"view/web":                  {"bus/engine", "bus/spec", "internal/origin"},
	"view/web/queues":           {"bus", "view/web"},
	"workers":                   {"bus"},
	"workers/claimcheck":        {"bus", "bus/driver", "bus/spec", "workers"},
	"workers/docdedup":          {"workers"},
	"outbox":                    {"bus", "bus/driver", "bus/spec", "workers"},
	"watch":                     {},
	"watch/metrics":             {"internal/origin", "watch"},
	"watch/live":                {"bus", "watch", "workers"},
	"lab":                       {".", "bus", "watch", "watch/live", "workers"},
	"view/term":                 {"watch"},
}

// standardOnly are the packages that import nothing from outside, but for what
// mayImportOutside says: sqsd reads YAML, which the standard library does not.
var standardOnly = []string{".", "bus/spec", "bus/engine", "bus/journal", "bus/journal/memdisk", "bus/topics", "bus/sigv4", "bus/sqsserver", "bus/snsserver",
	"bus/internal/accesspolicy", "bus/internal/inprocess", "bus/internal/protocoltest", "bus/internal/query", "internal/cleanenv", "internal/origin", "view/web", "watch", "watch/metrics", "cmd/sqsd"}

var mayImportOutside = map[string][]string{"cmd/sqsd": {"go.yaml.in/yaml/v3"}}

// Imports point one way: commands over workers over bus over its drivers;
// backends never import each other.
func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg, _ := local(fields[0])
		allowed, limited := mayImport[pkg]
		if limited {
			seen++
		}
		for _, imp := range fields[1:] {
			imp, ours := local(imp)
			if ours && limited && !slices.Contains(allowed, imp) {
				t.Errorf("%s must not import %s", pkg, imp)
			}
			if (pkg == "workers" || pkg == "outbox") && !isTelemetryAPI(imp) {
				t.Errorf("%s must not import %s: of OpenTelemetry it knows the API only", pkg, imp)
			}
			if isStore(imp) && !slices.Contains([]string{"workers/claimcheck", "workers/docdedup"}, pkg) {
				t.Errorf("%s must not import %s: who needs no stores gets none", pkg, imp)
			}
			if !ours && slices.Contains(standardOnly, pkg) && strings.Contains(strings.Split(imp, "/")[0], ".") && !slices.Contains(mayImportOutside[pkg], imp) {
				t.Errorf("%s must not import %s: it is standard library only", pkg, imp)
			}
		}
	}
	if seen != len(mayImport) {
		t.Errorf("the rules name %d packages, of which %d exist", len(mayImport), seen)
	}
}

// Tests that use the AWS SDK or start the commands do so in an environment without the
// machine's settings, of which many would change what they do. Examples are copied by
// those who cannot import an internal package.
func TestTestsDoNotSeeTheMachinesSettings(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{join .Imports " "}} {{join .TestImports " "}} {{join .XTestImports " "}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		pkg, _ := local(fields[0])
		needs := strings.HasPrefix(pkg, "cmd/") || pkg == "bus/sqsbus" || slices.Contains(fields, module+"/bus/sqsbus")
		if needs && !strings.HasPrefix(pkg, "examples/") && !slices.Contains(fields, module+"/internal/cleanenv") {
			t.Errorf("the tests of %s must import internal/cleanenv", pkg)
		}
	}
}

// isStore reports whether a package is one of the Go CDK's for documents or blobs.
func isStore(pkg string) bool {
	return strings.HasPrefix(pkg, "gocloud.dev/docstore") || strings.HasPrefix(pkg, "gocloud.dev/blob")
}

// isTelemetryAPI reports whether a package of OpenTelemetry belongs to its API. Other
// packages count as if they did.
func isTelemetryAPI(pkg string) bool {
	rest, ours := strings.CutPrefix(pkg, "go.opentelemetry.io/")
	return !ours || slices.Contains([]string{"otel", "otel/attribute", "otel/codes", "otel/metric", "otel/propagation", "otel/trace"}, rest)
}

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The README's table of backends and controls is what the backends declare.
func TestREADMEControlsAreWhatBackendsDeclare(t *testing.T) {
	mux := new(bus.Mux)
	mux.Register(membus.Scheme, membus.New(nil))
	mux.Register(plainbus.Scheme, plainbus.New())
	mux.Register("http", sqsbus.New(nil))
	var want strings.Builder
	want.WriteString("| control | to | in package `bus` |")
	var queues []*bus.Queue
	for _, column := range []struct{ name, url string }{
		{"`mem://`", "mem://table"},
		{"`mempubsub://`", "mempubsub://table"},
		{"SQS", "http://127.0.0.1:9324/000000000000/table"},
		{"SQS, `driver=stock`", "http://127.0.0.1:9324/000000000000/table?driver=stock"},
	} {
		q, err := mux.Open(t.Context(), column.url)
		if err != nil {
			t.Fatal(err)
		}
		queues = append(queues, q)
		fmt.Fprintf(&want, " %s |", column.name)
	}
	want.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(queues)) + "\n")
	for _, c := range driver.ControlTable() {
		fmt.Fprintf(&want, "| %s | %s | `%s` |", c.Control, c.Means, c.Use)
		for _, q := range queues {
			mark := "–"
			if q.Supports(c.Control) {
				mark = "yes"
			}
			fmt.Fprintf(&want, " %s |", mark)
		}
		want.WriteString("\n")
	}
	if !strings.Contains(readme(t), want.String()) {
		t.Errorf("README.md does not have this table:\n%s", want.String())
	}
}

// Errors name the package of every scheme that this module's backends register.
func TestEveryBackendsPackageIsNamedWhereItIsMissing(t *testing.T) {
	for _, scheme := range bus.DefaultMux().Schemes() {
		_, err := new(bus.Mux).Open(t.Context(), scheme+"://host/0/name")
		if err == nil || !strings.Contains(err.Error(), "backend of package "+module+"/bus/") {
			t.Errorf("a mux that does not know %s says: %v", scheme, err)
		}
	}
}

// The README's program and its test are the examples, which are built and run with
// everything else.
func TestREADMECodeIsTheExamples(t *testing.T) {
	for file, start := range map[string]string{
		"examples/hello/main.go":                   "func main() {",
		"examples/virtualtime/virtualtime_test.go": "func Test",
	} {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, body, found := strings.Cut(string(code), start)
		if !found || !strings.Contains(readme(t), start+strings.TrimRight(body, "\n")) {
			t.Errorf("README.md does not show %s from %q on", file, start)
		}
	}
}

// .ci/run begins with the command that the README gives for the tests.
func TestCIRunsTheREADMEsTestCommand(t *testing.T) {
	script, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	const command = "go test ./..."
	if !strings.Contains(readme(t), "\n"+command+"\n") || !strings.Contains(string(script), command+"\n") {
		t.Errorf("README.md and .ci/run do not both have the line %q", command)
	}
}

// The tests that docs/traps.md names exist.
func TestTrapsNamesTestsThatExist(t *testing.T) {
	text, err := os.ReadFile("docs/traps.md")
	if err != nil {
		t.Fatal(err)
	}
	code := sourceOf(t, "bus/sqsbus/*_test.go")
	for _, name := range regexp.MustCompile(`\bTest\w+`).FindAllString(string(text), -1) {
		if !strings.Contains(code, "\nfunc "+name+"(t *testing.T)") {
			t.Errorf("docs/traps.md names %s, which is no test of bus/sqsbus", name)
		}
	}
}

// What the documents name exists: files they link to, packages, and flags of sqsd.
func TestDocumentsNameWhatExists(t *testing.T) {
	documents, err := filepath.Glob("docs/*.md")
	if err != nil || documents == nil {
		t.Fatalf("no documents: %v", err)
	}
	flags := sourceOf(t, "cmd/sqsd/*.go")
	for _, name := range append(documents, "README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range regexp.MustCompile(`\]\(([^):#]+)\)`).FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), link[1])); err != nil {
				t.Errorf("%s links to %s: %v", name, link[1], err)
			}
		}
		for _, path := range regexp.MustCompile("`(?:go doc |go run )?(?:-tags \\w+ )?(?:\\./)?((?:bus|cmd|examples|strangers|deploy|internal|workers|lab|watch|view)/[\\w/]+)[` ]").FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(path[1]); err != nil {
				t.Errorf("%s names %s: %v", name, path[1], err)
			}
		}
		if name != "docs/endpoint.md" {
			continue
		}
		for _, flag := range regexp.MustCompile("`(?:sqsd )?-([a-z][a-z-]+)").FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(flags, `"`+flag[1]+`"`) {
				t.Errorf("%s names the flag -%s, which sqsd does not have", name, flag[1])
			}
		}
	}
}

// sourceOf returns the text of files.
func sourceOf(t *testing.T, pattern string) string {
	files, err := filepath.Glob(pattern)
	if err != nil || files == nil {
		t.Fatalf("no %s: %v", pattern, err)
	}
	var code strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(source)
	}
	return code.String()
}

// Every package in the README's map exists, and every package is in the map.
func TestREADMEMapIsComplete(t *testing.T) {
	out, err := exec.Command("go", "list", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	text := readme(t)
	for pkg := range strings.Lines(string(out)) {
		path, _ := local(strings.TrimSpace(pkg))
		if path != "." && !strings.Contains(text, "| `"+path+"` |") {
			t.Errorf("README.md's map of the packages lacks %s", path)
		}
	}
}

func TestDonors(t *testing.T) {
	seen := map[string]bool{}
	for name, data := range map[string][]byte{"fast": omnibus.FastDonors, "slow": omnibus.SlowDonors} {
		var donors []struct {
			Name, Email string
			Donation    float64
		}
		if err := json.Unmarshal(data, &donors); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(donors) != 50 {
			t.Errorf("%s has %d donors, want 50", name, len(donors))
		}
		for _, d := range donors {
			if d.Name == "" || !strings.Contains(d.Email, "@") || d.Donation <= 0 || seen[d.Name] {
				t.Errorf("%s: bad or repeated donor %+v", name, d)
			}
			seen[d.Name] = true
		}
		if name == "fast" && (donors[0].Name != "Harper Pierce" || donors[1].Name != "Lois Huber" || donors[2].Name != "Cecile Hickman") {
			t.Errorf("the fast set begins with %v", donors[:3])
		}
	}
}
