package identity

// Remember sets how many tokens the verifier keeps in each of its two halves.
func (v *Verifier) Remember(n int) { v.capacity = n }

// Remembered returns how many it holds.
func (v *Verifier) Remembered() int { return len(v.young) + len(v.old) }
