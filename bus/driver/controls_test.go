package driver

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// The comment of each constant is the table's text, and the table has each
// constant.
func TestConstantsOfControlsAreDocumentedAsTheTableSays(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "controls.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments := map[Control]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(s.Names[0].Name, "Control") {
			value := strings.Trim(s.Values[0].(*ast.BasicLit).Value, `"`)
			comments[Control(value)] = strings.TrimSpace(s.Comment.Text())
		}
		return true
	})
	for _, info := range ControlTable() {
		if comments[info.Control] != info.Means {
			t.Errorf("the constant of %q has the comment %q; the table says %q", info.Control, comments[info.Control], info.Means)
		}
		delete(comments, info.Control)
	}
	for c := range comments {
		t.Errorf("the table lacks %q", c)
	}
}

// onlyQueue has no control that is a method.
type onlyQueue struct{ Queue }

type declaring struct {
	onlyQueue
	controls []Control
}

func (d declaring) MessageControls() []Control { return d.controls }

type lister struct {
	Opener
	Lister
}

func TestSupports(t *testing.T) {
	for _, c := range Controls() {
		if Supports(nil, nil, c) || Supports(struct{ Opener }{}, onlyQueue{}, c) {
			t.Errorf("a queue that has no control supports %q", c)
		}
	}
	of := func(o Opener, q Queue) []Control {
		return slices.DeleteFunc(Controls(), func(c Control) bool { return !Supports(o, q, c) })
	}
	if got := of(lister{}, struct {
		Queue
		Purger
	}{}); !slices.Equal(got, []Control{ControlPurge, ControlList}) {
		t.Errorf("a queue with Purge of an opener with ListQueues supports %q", got)
	}
	if got := of(nil, declaring{controls: []Control{ControlGroups, ControlPurge}}); !slices.Equal(got, []Control{ControlGroups}) {
		t.Errorf("a queue that declares groups and purge, and has no Purge, supports %q; want groups only", got)
	}
}
