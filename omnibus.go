// Package omnibus holds the data of the hands-on lab, so that its programs find
// it wherever they run. The library begins at package omnibus/bus; the lab itself
// is package omnibus/lab and the command omnibus lab.
package omnibus

import _ "embed"

// The donors that the lab's producers send, fifty each: a JSON array of objects
// with name, email and donation.
var (
	//go:embed testdata/donors-fast.json
	FastDonors []byte
	//go:embed testdata/donors-slow.json
	SlowDonors []byte
)
