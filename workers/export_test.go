package workers

// Keys returns how many keys the store holds.
func (s *MemoryStore) Keys() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.keys)
}
