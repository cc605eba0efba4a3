package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// hidden reports characters that a terminal obeys or does not show: control
// characters, line and paragraph separators, and format characters, such as those
// that change the direction of the text around them. The two joiners are letters'
// own business in many scripts, and do no harm.
func hidden(r rune) bool {
	const zeroWidthNonJoiner, zeroWidthJoiner = '\u200c', '\u200d'
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && r != zeroWidthNonJoiner && r != zeroWidthJoiner
}

// visible returns s with hidden characters and bytes that are no UTF-8 written as
// Go writes them in strings: \n, \x1b, \u009b. What messages and servers say is
// printed in this form, so that it cannot forge a line or command a terminal.
// A backslash stays as it is; JSON output is the exact form.
func visible(s string) string {
	var b strings.Builder
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				fmt.Fprintf(&b, `\x%02x`, s[i])
				continue
			}
		}
		if hidden(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// visibleJSON returns a line of JSON with hidden characters as \u escapes. They
// stand in strings only, so it means the same.
func visibleJSON(line string) string {
	var b strings.Builder
	for _, r := range line {
		if !hidden(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}
