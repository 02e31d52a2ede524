// Package installation keeps a module from running on the wrong schema: a forgotten copy beside the one that was moved, or an empty one in
// place of one that is missing.
//
// A data folder has a record, installation.json: the installation's id, for each module that was opened with this record the epoch of its
// schema, and which of them have left. Each schema has one row that says to which installation it belongs, its epoch, and where the file was
// opened last. An epoch counts how often a schema was made or taken over by the operator's word; a copy keeps the number of its time. What is
// opened where is decided by comparing the two:
//
//	record     schema               without flags            -init            -adopt
//	-          missing, empty       made, epoch 1, if the    made, epoch 1    refused; made, if it
//	                                folder is whole                           has tables
//	-          same id, epoch e     SQLite: refused (*)      as without       epoch e+1
//	                                PostgreSQL: joined
//	e          missing, empty       refused                  made, epoch e+1  refused; e+1, if it
//	                                                                          has tables
//	e          same id, e           opened                   opened           epoch e+1
//	e          same id, less        refused: old copy        refused          epoch e+1
//	e          same id, more: m     refused: moved on        refused          epoch m+1
//	left at e  same id, e           SQLite: refused: copy    refused          epoch e+1
//	                                PostgreSQL: joined
//	left at e  anything else        as for e                 as for e         as for e
//	any        another id           refused, but a record without modules takes the schema's id
//
// What is adopted must be all there is: as long as the file is at the place where it was opened last too, or its log is, or a process has it open
// there, -adopt is refused. Only this machine is looked at, and only where the process may.
//
// A folder is whole if the process has all modules, or shares the folder with those that have the others: then a module that is not in the
// record has never been made. Any other process must be told by -init or -adopt. A module leaves a folder that is not shared when a process
// starts there which calls it elsewhere. On PostgreSQL a schema is one wherever it is opened from, so further processes join without a word;
// -adopt, which raises the epoch, then keeps the ones that were before from starting again.
//
// What this means for a module that moves:
//
//	move                                            old folder, if started with the module    new folder, before -adopt
//	its file, to another folder                     refused: missing                          refused: not opened there before
//	a copy of its file                              runs: nothing has moved                   refused, with -adopt too: a copy
//	a copy of its file, to another machine, and     refused: copy left behind                 refused: not opened there before
//	  the old process has been started without
//	  the module
//	its file or a copy, elsewhere under one record  refused: old copy                         opened, being of the same epoch
//	  (data_shared)
//	to an empty schema (-init)                      refused: old copy, under one record       refused: missing
//	its file, back with -adopt                      refused: missing                          -
//	to another process on the same PostgreSQL       joined; refused once it was adopted       joined
//	  schema
//	its folder, whole, to another machine           refused: all are missing                  opened
//
// One case cannot be seen: two machines with a copy each, neither of which was started since as a process that calls the module elsewhere.
// Move files, rather than copying them.
//
// A crash leaves one of two half-states, since the schema's row is written before the record. A schema that was just made (epoch 1, same
// id) and is not in the record is opened as its own (*). One that was just adopted, or begun again, is ahead of the record and is refused as
// moved on, until -adopt is given again.
package installation
