// Command rename gives this module another path, for example that of the
// repository in which it is published. Run it at the top of a checkout:
//
//	go run ./internal/rename example.com/you/omnibus
//
// It changes go.mod, the imports, the modules within that replace this one by its
// directory, and where code, comments and documents name a package of the module by its
// whole path. To rename it back restores every file.
package main

import (
	"errors"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) != 2 || strings.HasPrefix(os.Args[1], "-") {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/rename MODULE-PATH")
		os.Exit(2)
	}
	changed, err := rename(".", os.Args[1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "rename: %v\n", err)
		os.Exit(1)
	}
	fmt.Printf("the module is %s now; %d files changed\n", os.Args[1], changed)
}

// rename gives the module in a directory the path to. It returns how many files it
// changed.
func rename(dir, to string) (changed int, err error) {
	if host, _, _ := strings.Cut(to, "/"); !strings.Contains(host, ".") {
		return 0, fmt.Errorf("module path %q must begin with a host, as example.com/you/omnibus does, for go get to find it", to)
	}
	return replace(dir, to)
}

// replace is rename for any path, with a host or without.
func replace(dir, to string) (changed int, err error) {
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return 0, err
	}
	match := regexp.MustCompile(`(?m)^module (\S+)$`).FindSubmatch(mod)
	if match == nil {
		return 0, errors.New("go.mod has no line like: module omnibus")
	}
	from := string(match[1])
	edit := exec.Command("go", "mod", "edit", "-module", to)
	edit.Dir = dir
	if out, err := edit.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	packages, err := packagePaths(dir, from)
	if err != nil {
		return 0, err
	}
	required := regexp.MustCompile(`(?m)(^|[ \t])` + regexp.QuoteMeta(from) + `( v0\.0\.0$| => )`)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case path == filepath.Join(dir, "go.mod"):
			return nil // done above
		case d.Name() != "go.mod" && filepath.Ext(path) != ".go" && filepath.Ext(path) != ".md":
			return nil
		}
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := packages.ReplaceAll(old, []byte("${1}"+to+"${2}"))
		if d.Name() == "go.mod" { // of a module within, such as examples/service
			text = required.ReplaceAll(text, []byte("${1}"+to+"${2}"))
		}
		if filepath.Ext(path) == ".go" {
			if text, err = goFile(path, text, from, to); err != nil {
				return err
			}
		}
		if string(text) == string(old) {
			return nil
		}
		changed++
		return os.WriteFile(path, text, 0o666) // the file is there, so its mode stays
	})
	return changed + 1, err
}

// packagePaths matches the whole path of a package below the module's root.
func packagePaths(dir, module string) (*regexp.Regexp, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, regexp.QuoteMeta(e.Name()))
		}
	}
	return regexp.Compile(`(^|[^\w./-])` + regexp.QuoteMeta(module) + `(/(?:` + strings.Join(names, "|") + `)\b)`)
}

// goFile renames the imports of the module's root package and formats the file,
// since a longer path may move what stands beside it.
func goFile(path string, text []byte, from, to string) ([]byte, error) {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, path, text, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	for _, i := range slices.Backward(f.Imports) {
		if i.Path.Value == strconv.Quote(from) {
			begin, end := files.Position(i.Path.Pos()).Offset, files.Position(i.Path.End()).Offset
			text = slices.Concat(text[:begin], []byte(strconv.Quote(to)), text[end:])
		}
	}
	return format.Source(text)
}
