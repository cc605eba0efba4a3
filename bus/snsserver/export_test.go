package snsserver

var (
	DialLoopback = dialLoopback
	NewTransport = newTransport
)

const PostBytes = postBytes

// SetRoom sets how many bytes deliveries over HTTP may take while they wait.
func (s *Server) SetRoom(bytes int) { s.poster.room = bytes }
