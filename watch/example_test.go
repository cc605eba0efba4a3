package watch_test

import (
	"context"
	"fmt"

	"omnibus/watch"
)

// Viewers come when they like, and read at their own pace.
func ExampleStream() {
	samples := watch.NewStream[watch.Sample](600)
	early := samples.Follow(0)
	for n := range 3 {
		samples.Publish(watch.Sample{Name: "donors", Counts: watch.Counts{Visible: n}})
	}
	late := samples.Follow(1) // with the last one that is kept
	samples.Close()

	for _, viewer := range []*watch.Viewer[watch.Sample]{early, late} {
		got, missed, err := viewer.Next(context.Background())
		fmt.Println(len(got), missed, err)
	}
	// Output:
	// 3 0 <nil>
	// 1 0 <nil>
}
