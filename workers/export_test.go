package workers

// IsPermanent reports whether an error is marked with [Permanent].
func IsPermanent(err error) bool { return verdictOf(err).permanent }

// Keys returns how many keys the store holds.
func (s *MemoryStore) Keys() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.keys)
}
