// Package placement decides, in one place, how one module calls another: a plain call in this process, the same call checked or
// forced over the wire for tests, or a call to another process. Behind a seam all four behave alike: the same errors, deadlines,
// metrics and spans, and messages that nobody may change once they were handed over.
//
// The generated glue of each contract uses it; compose makes the seams; no module knows which one it has.
package placement
