package lab

// Void says why what a record holds does not count by the rules of the method, "" if it does. The runner asks of whole runs; an experiment may ask of a part
// of one that it can repeat.
func Void(r *Record) string { return voids(r) }
