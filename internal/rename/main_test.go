package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write writes files, by name, into a new directory.
func write(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// read returns the files that write has written, by name.
func read(t *testing.T, dir string) map[string]string {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

var before = map[string]string{
	"go.mod":      "module omnibus\n\ngo 1.26.0\n",
	"omnibus.go":  "// Package omnibus begins at [omnibus/bus].\npackage omnibus\n",
	"bus/bus.go":  "package bus\n\nimport (\n\t\"fmt\"\n\n\t\"omnibus\"\n\t\"omnibus/bus/driver\" // a driver\n\t\"z.org/z\"            // another\n)\n\nvar s = \"omnibus\"\n",
	"README.md":   "# omnibus\n\n\t\"omnibus/bus\"\n\ngo run ./cmd/omnibus lab; see github.com/other/omnibus/bus and omnibus/business.\n",
	"cmd/note.md": "nothing of it\n",
	"in/go.mod":   "module in\n\nrequire (\n\tother.org/omnibus v0.0.0\n\tomnibus v0.0.0\n)\n\nreplace omnibus => ..\n",
}

func TestRenameChangesThePathWhereverItStands(t *testing.T) {
	dir := write(t, before)
	if n, err := rename(dir, "example.com/you/queues"); err != nil || n != 5 {
		t.Fatalf("%d files changed, %v; want 5", n, err)
	}
	want := map[string]string{
		"go.mod":      "module example.com/you/queues\n\ngo 1.26.0\n",
		"omnibus.go":  "// Package omnibus begins at [example.com/you/queues/bus].\npackage omnibus\n",
		"bus/bus.go":  "package bus\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/you/queues\"\n\t\"example.com/you/queues/bus/driver\" // a driver\n\t\"z.org/z\"                           // another\n)\n\nvar s = \"omnibus\"\n",
		"README.md":   "# omnibus\n\n\t\"example.com/you/queues/bus\"\n\ngo run ./cmd/omnibus lab; see github.com/other/omnibus/bus and omnibus/business.\n",
		"cmd/note.md": before["cmd/note.md"],
		"in/go.mod":   "module in\n\nrequire (\n\tother.org/omnibus v0.0.0\n\texample.com/you/queues v0.0.0\n)\n\nreplace example.com/you/queues => ..\n",
	}
	for name, got := range read(t, dir) {
		if got != want[name] {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want[name])
		}
	}
}

func TestRenamingBackRestoresEveryFile(t *testing.T) {
	dir := write(t, before)
	for _, path := range []string{"example.com/you/queues", "other.example/omnibus/v2", "omnibus"} {
		if _, err := replace(dir, path); err != nil {
			t.Fatal(err)
		}
	}
	for name, got := range read(t, dir) {
		if got != before[name] {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, before[name])
		}
	}
}

func TestRenameRefusesAPathThatNobodyCanFetch(t *testing.T) {
	for path, want := range map[string]string{
		"queues":           "must begin with a host",
		"":                 "must begin with a host",
		"example.com/a b":  "invalid",
		"example.com/a//b": "malformed",
	} {
		dir := write(t, before)
		if _, err := rename(dir, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("to rename the module to %q gives %v, want an error with %q", path, err, want)
		}
		if got := read(t, dir); got["go.mod"] != before["go.mod"] || got["bus/bus.go"] != before["bus/bus.go"] {
			t.Errorf("the refused path %q has changed files", path)
		}
	}
}
