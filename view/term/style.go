package term

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// The colours are of middle lightness, for dark and for light terminals.
var (
	inFlightColor = lipgloss.Color("#e8a33d")
	visibleColor  = lipgloss.Color("#3fa66b")
	delayedColor  = lipgloss.Color("#5b8def")
	badColor      = lipgloss.Color("#e5534b")

	boldStyle  = lipgloss.NewStyle().Bold(true)
	faintStyle = lipgloss.NewStyle().Faint(true)
	badStyle   = lipgloss.NewStyle().Foreground(badColor)
	goodStyle  = lipgloss.NewStyle().Foreground(visibleColor)
	busyStyle  = lipgloss.NewStyle().Foreground(inFlightColor)
	waitStyle  = lipgloss.NewStyle().Foreground(delayedColor)
)

// fit returns text that is exactly so many columns wide.
func fit(s string, width int) string {
	if width <= 0 {
		return ""
	}
	if w := ansi.StringWidth(s); w > width {
		s = ansi.Truncate(s, width, "…")
		return s + strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
	} else if w < width {
		return s + strings.Repeat(" ", width-w)
	}
	return s
}

// fitLeft is fit for text whose end tells more than its beginning.
func fitLeft(s string, width int) string {
	if w := ansi.StringWidth(s); w > width && width > 0 {
		s = ansi.TruncateLeft(s, w-width+1, "…")
	}
	return fit(s, width)
}

// ends returns text with some at its left and some at its right end. What is at the
// right goes first where there is no room for both.
func ends(left, right string, width int) string {
	w := ansi.StringWidth(right)
	if w >= width {
		return fit(right, width)
	}
	return fit(left, width-w-1) + " " + right
}

// bar returns a bar of which a part, 0 to 1, is full.
func bar(part float64, width int, style lipgloss.Style) string {
	if width <= 0 {
		return ""
	}
	eighths := int(min(1, max(0, part))*float64(width*8) + 0.5)
	if part > 0 && eighths == 0 {
		eighths = 1
	}
	full := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		full += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return style.Render(full) + faintStyle.Render(strings.Repeat("·", width-ansi.StringWidth(full)))
}

// clock returns a duration as a clock shows it.
func clock(d time.Duration) string {
	s := int(max(0, d) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// short returns a duration in a few characters.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < 100*time.Second:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < 100*time.Minute:
		return fmt.Sprintf("%.0fm", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0fh", d.Hours())
	}
	return fmt.Sprintf("%.0fd", d.Hours()/24)
}

// number returns a number in at most five characters.
func number(n int) string {
	switch {
	case n < 100_000:
		return fmt.Sprint(n)
	case n < 10_000_000:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprintf("%dM", n/1_000_000)
}

// dollars returns an amount with as many digits as tell something.
func dollars(d float64) string {
	if d >= 1 || d == 0 {
		return fmt.Sprintf("$%.2f", d)
	}
	return fmt.Sprintf("$%.6f", d)
}
