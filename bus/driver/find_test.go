package driver_test

import (
	"testing"

	"omnibus/bus/driver"
)

type plain struct{ driver.Queue }

type counting struct{ driver.Queue }

func (counting) LateAcks() int64 { return 1 }

type around struct {
	driver.Queue
	inner driver.Queue
}

func (around) LateAcks() int64 { return 2 }
func (a around) Unwrap() any   { return a.inner }

func TestAWrapperHasTheControlsOfWhatItWraps(t *testing.T) {
	for name, c := range map[string]struct {
		q    driver.Queue
		want bool
	}{
		"one without":                          {plain{}, false},
		"one with":                             {counting{}, true},
		"around one without":                   {around{inner: plain{}}, false},
		"around one with":                      {around{inner: counting{}}, true},
		"around one around one without":        {around{inner: around{inner: plain{}}}, false},
		"around one around one with":           {around{inner: around{inner: counting{}}}, true},
		"around one with, but without its own": {struct{ driver.Queue }{around{inner: counting{}}}, false},
	} {
		if got := driver.Supports(nil, c.q, driver.ControlLateAcks); got != c.want {
			t.Errorf("%s has the control: %v; want %v", name, got, c.want)
		}
	}
	if counter, ok := driver.Find[driver.AckCounter](around{inner: counting{}}); !ok || counter.LateAcks() != 2 {
		t.Errorf("what is found is %v, not the wrapper", counter)
	}
}
