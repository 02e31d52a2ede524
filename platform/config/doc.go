// Package config reads what a process shall be into one value: defaults, then a
// YAML file (-config or KERF_CONFIG), then the environment, then flags, each over
// the one before. The value is read once, checked as a whole, passed down in parts
// and never changed.
//
// A key is written as in the file, with a dot for each level: database.driver. Its
// environment variable is KERF_ and the key in capitals with underscores for dots:
// KERF_DATABASE_DRIVER. The most used keys have a flag.
//
// Whatever is wrong is reported at once, each problem with its key and where it was
// set. A key or variable that does not exist is a problem, with the nearest one that
// does; the only foreign variable with the prefix is KERF_INSTANCES, which tests
// read. Values of variables are not repeated in messages where they may be secret.
package config
