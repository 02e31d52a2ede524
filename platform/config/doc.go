// Package config reads what a process shall be into one value: defaults, then a
// YAML file (-config or KERF_CONFIG), then the environment, then flags, each over
// the one before. The value is read once, checked as a whole, passed down in parts
// and never changed.
//
// A key is written as in the file, with a dot for each level: database.driver. Its
// environment variable is KERF_ and the key in capitals with underscores for dots:
// KERF_DATABASE_DRIVER. The most used keys have a flag. Where a setting may differ
// between modules, their name is part of the key: remotes.kitchen,
// database.modules.kitchen.dsn, and KERF_DATABASE_MODULES_KITCHEN_DSN.
//
// Whatever is wrong is reported at once, each problem with its key and where it was
// set. A key or variable that does not exist is a problem, with the nearest one that
// does; so is a key that changes nothing because of another one, and an address that
// is missing. One file may serve the processes of a whole cut all the same: what it
// says of the data of modules that are placed elsewhere, and of calls and addresses
// that this process does not need, is theirs. The only foreign variables with
// the prefix are KERF_INSTANCES and those that begin with KERF_TEST_, which tests
// read, and KERF_SERVERS_DATA, which deploy/servers reads.
// Values are not repeated in messages, where they may be secret.
//
// The package knows no module: which there are, and who has to reach whom, is told by
// the Command that loads.
package config
