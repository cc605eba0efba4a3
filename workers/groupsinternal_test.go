package workers

import (
	"slices"
	"testing"
)

// The backends of this module receive a FIFO queue's messages one at a time. Others may
// receive several of a group together.
func TestMessagesOfAGroupThatCameTogetherWaitBehindEachOther(t *testing.T) {
	var g groups
	in := new(intake)
	of := func(group string, n int) (ds []*delivery) {
		for range n {
			ds = append(ds, &delivery{intake: in, group: group})
		}
		return ds
	}
	a, b, none := of("a", 4), of("b", 2), of("", 2)
	for i, d := range slices.Concat(a, b, none) {
		if free := d.group == "" || d == a[0] || d == b[0]; g.enter(d) != free {
			t.Errorf("delivery %d of group %q may be handled: %v, want %v", i, d.group, !free, free)
		}
	}
	if next := g.leave(a[0]); next != a[1] {
		t.Error("after the first of a group not the second is next")
	}
	if behind := g.close(a[1]); !slices.Equal(behind, a[2:]) {
		t.Errorf("%d wait behind the one that failed, want 2", len(behind))
	}
	if !g.enter(a[1]) {
		t.Error("the one that failed may not be handled when it comes again")
	}
	if waiting := g.drain(); !slices.Equal(waiting, b[1:]) {
		t.Errorf("%d wait in all, want the second of group b", len(waiting))
	}
	if g.leave(b[0]) != nil || g.leave(a[1]) != nil || g.leave(none[0]) != nil || len(g.behind) != 0 {
		t.Errorf("groups are left that have nothing in hand: %v", g.behind)
	}
}
