//go:build strangers

package page

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// startLab starts the lab, and returns the address of its page.
func startLab(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(os.Getenv("OMNIBUS_BIN"), "omnibus"), append([]string{"lab", "-plain", "-http", "127.0.0.1:0"}, args...)...)
	out, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // an error is that it has ended
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if page, ok := strings.CutPrefix(lines.Text(), "page at "); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return page
		}
	}
	t.Fatal("the lab has no page")
	return ""
}

// The lab at ten times its speed: the three counts rise and fall, and its workers are
// there and do as they are told.
func TestTheLabIsSeen(t *testing.T) {
	p := open(t, startLab(t, "-speed", "10")+"#/q/mynewq")
	p.wait(live)
	run[any](p, `import(new URL("live.js", document.querySelector("script[type=module]").src)).then((m) => { window.store = m.store })`)
	p.wait(`document.querySelectorAll(".worker").length === 4`)
	p.wait(`document.querySelector(".worker li[data-kind=received] .lease i")`)
	p.click(".worker button", "pause")
	p.wait(`document.querySelector(".worker[data-state=paused]")`)
	p.click(".worker button", "resume")
	p.wait(`!document.querySelector(".worker[data-state=paused]")`)
	p.click(".worker button", "add another")
	p.wait(`document.querySelectorAll(".worker").length === 5`)
	// Also what was before the page was opened is there.
	p.wait(`[1, 2, 3].every((i) => window.store.byID.get("mynewq").points.some((p) => p[i] > 0))`)
	p.shows(0, 0, 0)
}
