package bus_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// go doc shows an alias without the fields of its struct, so the comment has them.
func TestCommentsOfPublicTypesShowTheirFields(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "nouns.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, decl := range file.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.TYPE {
			continue
		}
		alias := d.Specs[0].(*ast.TypeSpec)
		of := alias.Type.(*ast.SelectorExpr)
		fields := structSource(t, of.X.(*ast.Ident).Name, of.Sel.Name)
		if fields == "" {
			continue // not a struct
		}
		checked++
		if !strings.Contains(d.Doc.Text(), fields) {
			t.Errorf("the comment of %s does not have its fields:\n%s", alias.Name.Name, fields)
		}
	}
	if checked < 10 {
		t.Errorf("%d types were checked; nouns.go has more", checked)
	}
}

// structSource returns the fields of a struct as they are written.
func structSource(t *testing.T, pkg, name string) string {
	files, err := filepath.Glob(filepath.Join(pkg, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, ok := strings.Cut(string(text), "\ntype "+name+" struct {\n"); ok {
			fields, _, _ := strings.Cut(rest, "\n}\n")
			return fields
		}
	}
	return ""
}
