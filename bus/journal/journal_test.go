package journal_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"omnibus/bus/journal"
	"omnibus/bus/journal/memdisk"
)

// opened is a log with what was read of it and reported.
type opened struct {
	*journal.Log
	frames  []string
	reports []string
}

func open(fs journal.FS) (*opened, error) {
	o := &opened{}
	var err error
	o.Log, err = journal.Open(fs, journal.Options{Reserve: 1000, Report: func(line string) { o.reports = append(o.reports, line) }},
		func(content []byte) error {
			o.frames = append(o.frames, string(content))
			return nil
		})
	return o, err
}

func mustOpen(t *testing.T, fs journal.FS) *opened {
	t.Helper()
	o, err := open(fs)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *opened) append(content string) error {
	return o.Append(append(make([]byte, journal.FrameHead), content...))
}

func (o *opened) mustAppend(t *testing.T, contents ...string) {
	t.Helper()
	for _, c := range contents {
		if err := o.append(c); err != nil {
			t.Fatal(err)
		}
	}
}

func wantFrames(t *testing.T, o *opened, want ...string) {
	t.Helper()
	if !slices.Equal(o.frames, want) {
		t.Fatalf("read %q, want %q", o.frames, want)
	}
}

// Power is cut in the middle of a random call, again and again, with bases in between.
// What an Append returned for is there afterwards; of the one under way all or nothing.
func TestWhatWasAppendedSurvivesPowerCuts(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		disk := &memdisk.Disk{}
		var kept []string // what must be there
		n := 0
		for range 6 {
			unsure := ""
			disk.CutPower(1 + random.IntN(60))
			o, err := open(disk)
			for err == nil {
				if random.IntN(8) == 0 {
					err = base(o, &kept)
					continue
				}
				n++
				content := fmt.Sprint(n, strings.Repeat("x", random.IntN(100)))
				if err = o.append(content); err == nil {
					kept = append(kept, content)
				} else {
					unsure = content
				}
			}
			if !errors.Is(err, memdisk.ErrPower) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			disk = disk.Restart(random)
			again, err := open(disk)
			if err != nil {
				t.Fatalf("seed %d: after a power cut: %v", seed, err)
			}
			got := sinceBase(again.frames)
			if unsure != "" && len(got) > 0 && got[len(got)-1] == unsure {
				kept = append(kept, unsure)
			}
			if !slices.Equal(got, kept) {
				t.Fatalf("seed %d: after a power cut there is %q, want %q", seed, got, kept)
			}
		}
	}
}

// base appends a base that says what has been kept.
func base(o *opened, kept *[]string) error {
	m, err := o.Mark()
	if err != nil {
		return err
	}
	if err := o.append("base " + strings.Join(*kept, " ")); err != nil {
		return err
	}
	return o.Cut(m)
}

// sinceBase returns what frames say, where a base says what there was before it.
func sinceBase(frames []string) (out []string) {
	for _, f := range frames {
		if b, ok := strings.CutPrefix(f, "base "); ok {
			out = strings.Fields(b)
		} else {
			out = append(out, f)
		}
	}
	return out
}

func TestAnEndThatIsNotWholeIsCutOffAndReported(t *testing.T) {
	for cut := range 30 {
		disk := &memdisk.Disk{}
		o := mustOpen(t, disk)
		o.mustAppend(t, "one", "two", "three: the last one")
		name := "0000000001.log"
		f, err := disk.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(int64(disk.Size(name) - 1 - cut)); err != nil {
			t.Fatal(err)
		}
		o = mustOpen(t, disk.Kill())
		wantFrames(t, o, "one", "two")
		if len(o.reports) != 1 || !strings.Contains(o.reports[0], "no whole frame") {
			t.Fatalf("reported %q", o.reports)
		}
	}
}

// Damage to what somebody relies on is not taken for a torn end, wherever it is.
func TestDamageBeforeWholeFramesIsRefused(t *testing.T) {
	disk := &memdisk.Disk{}
	mustOpen(t, disk).mustAppend(t, "one", "two", "three")
	name := "0000000001.log"
	last := disk.Size(name) - len("three") - journal.FrameHead
	for offset := range last {
		damaged := disk.Kill()
		damaged.Damage(name, offset)
		if _, err := open(damaged); err == nil || !strings.Contains(err.Error(), "restore the directory from a copy") && !strings.Contains(err.Error(), "version") {
			t.Fatalf("damage at byte %d: %v", offset, err)
		}
	}
}

func TestDamageInAnEarlierSegmentIsRefused(t *testing.T) {
	disk := &memdisk.Disk{}
	mustOpen(t, disk).mustAppend(t, "one")
	disk = disk.Kill()
	mustOpen(t, disk).mustAppend(t, "two")
	disk = disk.Kill()
	disk.Damage("0000000001.log", disk.Size("0000000001.log")-1)
	if _, err := open(disk); err == nil || !strings.Contains(err.Error(), "others follow it") {
		t.Fatalf("got %v", err)
	}
}

func TestAMissingSegmentIsRefused(t *testing.T) {
	disk := &memdisk.Disk{}
	for range 3 {
		mustOpen(t, disk).mustAppend(t, "one")
		disk = disk.Kill()
	}
	if err := disk.Remove("0000000002.log"); err != nil {
		t.Fatal(err)
	}
	if _, err := open(disk); err == nil {
		t.Fatal("a log without its second segment was opened")
	}
}

// What could not be read again is not written.
func TestAFrameThatIsTooLongIsRefused(t *testing.T) {
	disk := &memdisk.Disk{}
	o := mustOpen(t, disk)
	o.mustAppend(t, "one")
	if err := o.Append(make([]byte, journal.FrameHead+journal.MaxFrame+1)); err == nil || o.Broken() {
		t.Fatalf("got %v, broken %t", err, o.Broken())
	}
	o.mustAppend(t, "two")
	wantFrames(t, mustOpen(t, disk.Kill()), "one", "two")
}

// What is appended after a power cut is never behind what the cut has left.
func TestContentThatLooksLikeFramesIsNone(t *testing.T) {
	disk := &memdisk.Disk{}
	o := mustOpen(t, disk)
	inner := make([]byte, journal.FrameHead+5)
	copy(inner, "frm\n\x05\x00\x00\x00")
	o.mustAppend(t, "one", string(inner)+strings.Repeat("y", 100))
	f, err := disk.Open("0000000001.log")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(disk.Size("0000000001.log") - 50)); err != nil {
		t.Fatal(err)
	}
	wantFrames(t, mustOpen(t, disk.Kill()), "one")
}

func TestAFullDiskHasAReserveAndRecovers(t *testing.T) {
	disk := &memdisk.Disk{}
	o := mustOpen(t, disk)
	disk.SetRoom(50)
	var kept []string
	appendAll := func() (err error) {
		for err == nil {
			content := fmt.Sprint("frame ", len(kept))
			if err = o.append(content); err == nil {
				kept = append(kept, content)
			}
		}
		return err
	}
	if err := appendAll(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v", err)
	}
	if len(kept) < 20 || !o.Low() || o.Broken() {
		t.Fatalf("%d frames, low %t, broken %t", len(kept), o.Low(), o.Broken())
	}
	if err := o.Restock(); err == nil {
		t.Fatal("a full disk had room for the reserve")
	}
	disk.SetRoom(10_000)
	o.mustAppend(t, "after")
	if err := o.Restock(); err != nil || o.Low() {
		t.Fatalf("restock: %v, low %t", err, o.Low())
	}
	wantFrames(t, mustOpen(t, disk.Restart(rand.New(rand.NewPCG(1, 1)))), append(kept, "after")...)
}

// After a sync that failed the log takes nothing but a base of its own, in another
// segment. Power that is cut before that is whole leaves what there was.
func TestAFailedSyncIsNotBuiltUpon(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 2))
		disk := &memdisk.Disk{}
		o := mustOpen(t, disk)
		o.mustAppend(t, "one")
		disk.FailSyncs(1)
		if err := o.append("two"); !errors.Is(err, memdisk.ErrSync) || !o.Broken() {
			t.Fatalf("got %v, broken %t", err, o.Broken())
		}
		if err := o.append("three"); err == nil {
			t.Fatal("a log whose sync failed took more")
		}
		disk.CutPower(1 + random.IntN(12))
		kept := []string{"one"}
		m, err := o.Anew()
		if err == nil {
			if err = o.append("base one four"); err == nil {
				if err = o.Cut(m); err == nil {
					kept = []string{"one", "four"}
				}
			}
		}
		again, err := open(disk.Restart(random))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got := sinceBase(again.frames)
		if slices.Equal(got, []string{"one", "two"}) || len(kept) == 1 && slices.Equal(got, []string{"one", "four"}) {
			continue // of what was not answered, all may be there
		}
		if !slices.Equal(got, kept) {
			t.Fatalf("seed %d: there is %q, want %q", seed, got, kept)
		}
	}
}

// Syncs of files and of the directory fail, bases are begun and abandoned, power is cut and
// processes are killed, all at random. What was answered is there afterwards, in its order,
// with what was not or without.
func TestNothingThatWasAnsweredIsLostToFailures(t *testing.T) {
	abandoned := 0
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 4))
		disk := &memdisk.Disk{}
		var all []string // that may be there
		answered := map[string]bool{}
		note := func(contents ...string) {
			for _, c := range contents {
				answered[c] = true
			}
		}
		n := 0
		for range 6 {
			disk.CutPower(1 + random.IntN(100))
			o, err := open(disk)
			broken := false // before the latest call
			for o.Log != nil && !errors.Is(err, memdisk.ErrPower) && random.IntN(100) > 0 {
				broken = o.Broken()
				if random.IntN(10) == 0 {
					disk.FailSyncs(1)
				}
				if random.IntN(5) == 0 {
					disk.FailDirSync(1 + random.IntN(3))
				}
				switch {
				case o.Broken():
					var m journal.Mark
					if m, err = o.Anew(); err != nil {
						break
					}
					if err = o.append("base " + strings.Join(all, " ")); err == nil && random.IntN(4) > 0 {
						err = o.Cut(m)
					} else if err == nil {
						err = errors.New("the base could not be finished")
					}
					if err != nil {
						o.Abandon(m, err)
						abandoned++
						break
					}
					note(all...)
				case random.IntN(8) == 0:
					err = base(o, &all)
				default:
					n++
					all = append(all, fmt.Sprint(n))
					if err = o.append(all[len(all)-1]); err == nil {
						note(all...)
					}
				}
			}
			if errors.Is(err, memdisk.ErrPower) && !broken && random.IntN(2) == 0 {
				disk = disk.Kill() // in the middle of a call, if no sync has failed
			} else {
				disk = disk.Restart(random)
			}
			again, err := open(disk)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			got := sinceBase(again.frames)
			rest := got
			for _, c := range all {
				if len(rest) > 0 && rest[0] == c {
					rest = rest[1:]
				} else if answered[c] {
					t.Fatalf("seed %d: there is %q of %q; %s was answered", seed, got, all, c)
				}
			}
			if len(rest) > 0 {
				t.Fatalf("seed %d: there is %q of %q", seed, got, all)
			}
			all = got
			note(all...)
		}
	}
	if abandoned < 1000 {
		t.Errorf("only %d bases were abandoned", abandoned)
	}
}

// A mark that could not be synced may be on the disk all the same.
func TestABaseWhoseMarkCouldNotBeSyncedStaysWhole(t *testing.T) {
	for name, end := range map[string]func(*memdisk.Disk) *memdisk.Disk{
		"killed":    (*memdisk.Disk).Kill,
		"power cut": func(d *memdisk.Disk) *memdisk.Disk { return d.Restart(rand.New(rand.NewPCG(1, 5))) },
	} {
		for again := range 3 {
			disk := &memdisk.Disk{}
			o := mustOpen(t, disk)
			o.mustAppend(t, "one", "two")
			disk.FailSyncs(1)
			if err := o.append("three"); err == nil {
				t.Fatal("a sync did not fail")
			}
			for try := range 1 + again {
				m, err := o.Anew()
				if err != nil {
					t.Fatal(err)
				}
				if try > 0 { // this one ends before its mark is made
					o.mustAppend(t, "base one")
					o.Abandon(m, errors.New("the disk is full"))
					continue
				}
				o.mustAppend(t, "base one two three")
				disk.FailDirSync(1)
				if err = o.Cut(m); !errors.Is(err, memdisk.ErrSync) {
					t.Fatalf("got %v", err)
				}
				o.Abandon(m, err)
			}
			got := sinceBase(mustOpen(t, end(disk)).frames)
			if len(got) < 2 || !slices.Equal(got[:2], []string{"one", "two"}) {
				t.Errorf("%s after %d more tries: there is %q", name, again, got)
			}
		}
	}
}

// What a killed process has left may not be on the disk: neither the mark of a base nor the
// end of a segment is relied on before it is.
func TestPowerThatIsCutAsAKilledLogIsOpenedLosesNothing(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 6))
		disk := &memdisk.Disk{}
		o := mustOpen(t, disk)
		o.mustAppend(t, "one")
		m, err := o.Mark()
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + random.IntN(8) {
			o.mustAppend(t, "base one")
		}
		o.mustAppend(t, "two")
		disk.FailDirSync(1)
		if err := o.Cut(m); !errors.Is(err, memdisk.ErrSync) {
			t.Fatalf("got %v", err)
		}
		disk = disk.Kill()
		disk.CutPower(1 + random.IntN(8))
		if o, err = open(disk); err == nil {
			_ = o.append("three")
		}
		o, err = open(disk.Restart(random))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if got := sinceBase(o.frames); len(got) < 2 || !slices.Equal(got[:2], []string{"one", "two"}) {
			t.Fatalf("seed %d: there is %q", seed, got)
		}
	}
}

// Bases that cannot be written do not fill the disk.
func TestAbandonedBasesTakeNoRoom(t *testing.T) {
	disk := &memdisk.Disk{}
	o := mustOpen(t, disk)
	o.mustAppend(t, "one")
	disk.FailSyncs(1)
	if err := o.append("two"); err == nil {
		t.Fatal("a sync did not fail")
	}
	disk.SetRoom(5000)
	for range 10 {
		m, err := o.Anew()
		if err != nil {
			t.Fatal(err)
		}
		o.mustAppend(t, "base "+strings.Repeat("x", 2000))
		o.Abandon(m, errors.New("the disk failed"))
	}
	m, err := o.Anew()
	if err != nil {
		t.Fatal(err)
	}
	o.mustAppend(t, "base one two")
	if err := o.Cut(m); err != nil {
		t.Fatal(err)
	}
	names, err := disk.Names()
	if err != nil || len(names) != 3 {
		t.Fatalf("there are %q, %v", names, err)
	}
	o = mustOpen(t, disk.Kill())
	wantFrames(t, o, "base one two")
}

// What came before a base is all that there is, if the base is not.
func TestARefusedLogIsLeftAsItIs(t *testing.T) {
	for name, spoil := range map[string]func(*memdisk.Disk) error{
		"no segment":    func(d *memdisk.Disk) error { return d.Remove("0000000002.log") },
		"empty segment": func(d *memdisk.Disk) error { return truncate(d, "0000000002.log", 40) },
		"damaged head":  func(d *memdisk.Disk) error { d.Damage("0000000002.log", 20); return nil },
		"refused":       func(d *memdisk.Disk) error { return nil },
	} {
		disk := &memdisk.Disk{}
		o := mustOpen(t, disk)
		o.mustAppend(t, "one")
		if _, err := o.Mark(); err != nil {
			t.Fatal(err)
		}
		o.mustAppend(t, "base one")
		if _, err := disk.Create("0000000002.base"); err != nil {
			t.Fatal(err)
		}
		if err := spoil(disk); err != nil {
			t.Fatal(err)
		}
		disk = disk.Kill()
		before, err := disk.Names()
		if err != nil {
			t.Fatal(err)
		}
		check := errors.New("refused")
		_, err = journal.Open(disk, journal.Options{Check: func() error { return check }}, func([]byte) error { return nil })
		if err == nil || (name == "refused") != errors.Is(err, check) || !strings.Contains(err.Error(), "0000000002") {
			t.Errorf("%s: got %v", name, err)
		}
		if after, err := disk.Names(); err != nil || !slices.Equal(after, before) {
			t.Errorf("%s: there were %q and are %q, %v", name, before, after, err)
		}
	}
}

func truncate(disk *memdisk.Disk, name string, size int64) error {
	f, err := disk.Open(name)
	if err != nil {
		return err
	}
	return f.Truncate(size)
}

func TestTheLogDoesNotGrowWithHistory(t *testing.T) {
	disk := &memdisk.Disk{}
	o := mustOpen(t, disk)
	var kept []string
	for range 20 {
		o.mustAppend(t, strings.Repeat("x", 1000))
		if err := base(o, &kept); err != nil {
			t.Fatal(err)
		}
	}
	names, err := disk.Names()
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 3 || o.Size() > 200 {
		t.Fatalf("there are %q, with %d bytes since the base", names, o.Size())
	}
}

// A write that failed is cut off, and the next one stands in its place.
func TestAFileThatWasCutDownIsWrittenAtItsEnd(t *testing.T) {
	d, err := journal.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	f, err := d.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write([]byte("one torn"))
	if err = errors.Join(err, f.Truncate(4)); err == nil {
		_, err = f.Write([]byte("two"))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := d.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "one two" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestADirectoryIsOfOneProcess(t *testing.T) {
	path := t.TempDir()
	d, err := journal.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := journal.OpenDir(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("a directory in use was opened: %v", err)
	}
	o := mustOpen(t, d)
	o.mustAppend(t, "one")
	if err := errors.Join(o.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	if d, err = journal.OpenDir(path); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	wantFrames(t, mustOpen(t, d), "one")
}

// Without syncs a power cut loses the latest frames, and no earlier ones.
func TestWithoutSyncsAPowerCutLeavesABeginning(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 3))
		disk := &memdisk.Disk{}
		l, err := journal.Open(disk, journal.Options{NoSync: true, Reserve: 1000}, func([]byte) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		o := &opened{Log: l}
		for i := range 20 {
			all = append(all, fmt.Sprint("frame ", i))
			o.mustAppend(t, all[i])
		}
		if o, err = open(disk.Restart(random)); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !slices.Equal(o.frames, all[:len(o.frames)]) {
			t.Fatalf("seed %d: read %q", seed, o.frames)
		}
	}
}
