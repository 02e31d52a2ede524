// Package database keeps the private schema of one module: a SQLite file that this process alone opens, or a schema of a PostgreSQL
// server, which several processes may have open. Commands behave alike on both, and no module asks which it is.
//
// Writing is group commit. One goroutine per database runs the commands that wait, one after another, in one transaction with a
// savepoint each, commits once, and only then answers them. So sixty-four callers share one fsync, each still has a transaction
// of its own that succeeds or fails alone, and a read-modify-write needs no lock. On PostgreSQL each group first takes the schema's
// writer lock, so this holds across processes too.
//
// A command is a pure function of its transaction: it may run twice, when the transaction that it was part of is lost, and so
// it has no side effect but its rows and what it asks for with Tx.AfterCommit and Tx.Notify. It calls no other module: its context is
// marked, and placed clients refuse it. A statement that fails ends it, unless within Tx.Savepoint.
//
// Reading goes to a pool of connections of its own, which see what is committed and cannot write.
//
// Where processes share a schema, Exclusive has one of them do a job at a time, Listen hears of what any of them committed, and Alive tells
// which of them are still there. In a file, all this is trivially so.
//
// The files are <dir>/<module>.db with its -wal and -shm, and <dir>/<module>.lock. On PostgreSQL (14 or later, reached directly or through
// what keeps sessions) a module of a process has one connection that writes, one that keeps its locks and listens, and at most Config.Pool
// that read, which are closed after a minute without use. Setup makes roles and schemas. The package owns the table job.
package database
