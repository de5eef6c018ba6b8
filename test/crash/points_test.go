package crash

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pointName is the form of a failpoint's name.
var pointName = regexp.MustCompile(`^(store|linux|engine|reconcile)\.[a-zA-Z_.]+$`)

// points finds every failpoint of the program in its source: the constant given to failpoint.Here, or to a function
// of the store that commits a transaction under that name.
func points(t *testing.T) []string {
	t.Helper()
	found := map[string]string{}
	for _, root := range []string{"../../internal", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			for _, name := range pointsIn(t, path) {
				if other, ok := found[name]; ok {
					t.Errorf("failpoint %s stands twice: in %s and in %s", name, other, path)
				}
				found[name] = path
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func pointsIn(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || !commits(call) {
			return true
		}
		for _, arg := range call.Args {
			lit, ok := arg.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				continue
			}
			if name, err := strconv.Unquote(lit.Value); err == nil && pointName.MatchString(name) {
				names = append(names, name)
			}
		}
		return true
	})
	return names
}

// commits tells whether a call is of failpoint.Here, or of a method of the store that takes a commit's name. Logging
// and failpoint.Value take names too, which are no points to die at.
func commits(call *ast.CallExpr) bool {
	switch fn := call.Fun.(type) {
	case *ast.SelectorExpr:
		return fn.Sel.Name == "Here" || strings.HasPrefix(fn.Sel.Name, "change") || fn.Sel.Name == "allocating" || fn.Sel.Name == "fenced"
	case *ast.Ident:
		return fn.Name == "fenced"
	}
	return false
}

// lines reads a file of one name a line; no file is none.
func lines(path string) map[string]bool {
	text, _ := os.ReadFile(path)
	all := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		all[strings.TrimSpace(line)] = true
	}
	return all
}
