package bus_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"omnibus/bus/driver"
)

// The constants of the controls say what package driver's table says, and the
// functions that they point to exist.
func TestConstantsOfControlsAreDocumentedAsTheTableSays(t *testing.T) {
	comments := map[string]string{}
	declared := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				comments[n.Names[0].Name] = strings.TrimSpace(n.Comment.Text())
			case *ast.FuncDecl:
				if n.Recv == nil {
					declared[n.Name.Name] = true
				} else if star, ok := n.Recv.List[0].Type.(*ast.StarExpr); ok {
					declared[star.X.(*ast.Ident).Name+"."+n.Name.Name] = true
				}
			}
			return true
		})
	}
	for _, info := range driver.ControlTable() {
		found := false
		for name, comment := range comments {
			found = found || strings.HasPrefix(name, "Control") && comment == info.Means+": ["+info.Use+"]"
		}
		if !found {
			t.Errorf("no constant of a control has the comment %q", info.Means+": ["+info.Use+"]")
		}
		if !declared[info.Use] && !strings.HasPrefix(info.Use, "QueueSettings.") {
			t.Errorf("control %q is used by %s, which package bus does not have", info.Control, info.Use)
		}
	}
}
