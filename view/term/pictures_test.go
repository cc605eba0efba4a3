package term_test

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"omnibus/lab"
)

// The pictures in docs are the stories at their moments, in colours. They are made anew
// with the flag -update.
func TestPicturesAreThoseOfTheStories(t *testing.T) {
	for _, story := range lab.Stories() {
		m := play(t, story.Name, moments[story.Name], false)
		m.Update(tea.WindowSizeMsg{Width: 100, Height: 32})
		got := picture(m.Frame(), 100, 32)
		file := filepath.Join("..", "..", "docs", "terminal", story.Name+".svg")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is not the story's frame; go test ./view/term -update makes it", file)
		}
	}
}

// The README begins with a frame of the lab.
func TestREADMEShowsAFrame(t *testing.T) {
	frame, err := os.ReadFile(filepath.Join("testdata", "frames", "lab-80x24.txt"))
	if err != nil {
		t.Fatal(err)
	}
	readme := filepath.Join("..", "..", "README.md")
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	if before, rest, found := strings.Cut(string(text), "```text\n"); found && *update {
		_, after, _ := strings.Cut(rest, "```\n")
		text = []byte(before + "```text\n" + string(frame) + "```\n" + after)
		if err := os.WriteFile(readme, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(string(text), "```text\n"+string(frame)+"```\n") {
		t.Errorf("README.md does not show\n%s", frame)
	}
}

// Sizes of a picture's cells, and its colours.
const (
	cellWidth, cellHeight, border = 8.4, 18.0, 16.0
	background, foreground        = "#0d1117", "#e6edf3"
)

// pen is how cells are drawn.
type pen struct {
	fg, bg      string
	bold, faint bool
}

// picture returns a frame as SVG: blocks as rectangles, so that they meet whatever the
// font, and all else as text.
func picture(frame string, width, height int) string {
	var b strings.Builder
	w, h := float64(width)*cellWidth+2*border, float64(height)*cellHeight+2*border
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.1f %.1f" width="%.0f" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" shape-rendering="crispEdges">`+"\n", w, h, w)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", background)
	for row, line := range strings.Split(frame, "\n") {
		drawLine(&b, line, border+float64(row)*cellHeight)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func drawLine(b *strings.Builder, line string, y float64) {
	var p pen
	column, begin := 0, 0
	var text []rune
	flush := func() {
		if s := strings.TrimRight(string(text), " "); s != "" {
			lead := len(s) - len(strings.TrimLeft(s, " "))
			drawText(b, strings.TrimLeft(s, " "), border+float64(begin+lead)*cellWidth, y+cellHeight*0.76, p)
		}
		text = text[:0]
	}
	for rest := line; rest != ""; {
		if after, found := strings.CutPrefix(rest, "\x1b["); found {
			codes, after, _ := strings.Cut(after, "m")
			flush()
			p = p.apply(codes)
			rest = after
			continue
		}
		r := []rune(rest[:min(len(rest), 4)])[0]
		rest = rest[len(string(r)):]
		run := 1 // of the same block
		for strings.HasPrefix(rest, string(r)) {
			if !isBlock(r) {
				break
			}
			rest = rest[len(string(r)):]
			run++
		}
		if isBlock(r) {
			flush()
			block(b, r, border+float64(column)*cellWidth, y, float64(run), p)
			column += run - 1
		} else {
			if len(text) == 0 {
				begin = column
			}
			text = append(text, r)
		}
		column++
	}
	flush()
}

// apply returns the pen after a sequence of SGR codes.
func (p pen) apply(codes string) pen {
	fields := strings.Split(codes, ";")
	for i := 0; i < len(fields); i++ {
		switch fields[i] {
		case "", "0":
			p = pen{}
		case "1":
			p.bold = true
		case "2":
			p.faint = true
		case "38", "48":
			if i+4 >= len(fields) || fields[i+1] != "2" {
				continue
			}
			var colour strings.Builder
			colour.WriteByte('#')
			for _, f := range fields[i+2 : i+5] {
				n, _ := strconv.Atoi(f)
				fmt.Fprintf(&colour, "%02x", n)
			}
			if fields[i] == "38" {
				p.fg = colour.String()
			} else {
				p.bg = colour.String()
			}
			i += 4
		}
	}
	return p
}

func (p pen) colour() string {
	if p.fg == "" {
		return foreground
	}
	return p.fg
}

const (
	blocksUp   = "▁▂▃▄▅▆▇█"
	blocksLeft = "▏▎▍▌▋▊▉"
)

func isBlock(r rune) bool { return strings.ContainsRune(blocksUp+blocksLeft, r) }

// block draws a run of a block. Blocks that are not full at their left have no run.
func block(b *strings.Builder, r rune, x, y, run float64, p pen) {
	rect := func(y, w, h float64, fill string) {
		fmt.Fprintf(b, `<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" fill="%s"/>`+"\n", x, y, w, h, fill)
	}
	if at := strings.IndexRune(blocksLeft, r); at >= 0 {
		rect(y, float64(at/len("▏")+1)/8*cellWidth, cellHeight, p.colour())
		return
	}
	part := float64(strings.IndexRune(blocksUp, r)/len("▁")+1) / 8 * cellHeight
	if p.bg != "" {
		rect(y, run*cellWidth, cellHeight-part, p.bg)
	}
	rect(y+cellHeight-part, run*cellWidth, part, p.colour())
}

func drawText(b *strings.Builder, s string, x, y float64, p pen) {
	attrs := ""
	if p.bold {
		attrs += ` font-weight="bold"`
	}
	if p.faint {
		attrs += ` opacity="0.6"`
	}
	fmt.Fprintf(b, `<text x="%.2f" y="%.2f" fill="%s" textLength="%.2f" xml:space="preserve"%s>%s</text>`+"\n",
		x, y, p.colour(), float64(len([]rune(s)))*cellWidth, attrs, html.EscapeString(s))
}
