// Package database keeps the private schema of one module: a SQLite file that this process alone opens.
//
// Writing is group commit. One goroutine per database runs the commands that wait, one after another, in one transaction with a
// savepoint each, commits once, and only then answers them. So sixty-four callers share one fsync, each still has a transaction
// of its own that succeeds or fails alone, and a read-modify-write needs no lock.
//
// A command is a pure function of its transaction: it may run twice, when the transaction that it was part of is lost, and so
// it has no side effect but its rows and what it asks for with Tx.AfterCommit. It calls no other module: its context is
// marked, and placed clients refuse it.
//
// Reading goes to a pool of connections of its own, which see what is committed and cannot write.
//
// The files are <dir>/<module>.db with its -wal and -shm, and <dir>/<module>.lock.
package database
