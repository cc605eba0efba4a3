package snsserver

var (
	DialLoopback = dialLoopback
	NewTransport = newTransport
)
