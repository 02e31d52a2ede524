package kafka

// Pending returns how many messages wait to be sent on a topic.
func Pending(b *Bus, name string) int {
	o := &b.topic(name).outlet
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pending)
}
