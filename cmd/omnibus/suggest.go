package main

import "fmt"

// didYouMean returns the end of an error about a name that is none of the known
// ones: the known one that is nearest to it, with a prefix, or nothing if none is
// near.
func didYouMean(prefix, name string, known []string) string {
	nearest, least := "", 1+max(1, (len(name)+1)/3)
	for _, k := range known {
		if d := typos(name, k); d < least {
			nearest, least = k, d
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s%s?", prefix, nearest)
}

// typos returns how many letters must be added, left out, replaced or swapped with
// the next to make one word of the other.
func typos(from, to string) int {
	a, b := []rune(from), []rune(to)
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range a {
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above[j+1]+1, row[j]+1, above[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
