package stand

// Facts are what the fairness sheet tells of the arm.
func (s *Stand) Facts() map[string]string { return map[string]string{} }
