// Package lab is the method: what an experiment is, how its runs are put in order and made, and what is concluded from them.
//
// An experiment compares arms: the same build with other settings. The run is the unit of evidence: fresh processes on fresh data, one number for
// each metric. Runs of all arms are made in blocks, one of each arm in a block, in an order that is drawn at random and reversed in every second
// block (ABBA), so that a machine that grows slower harms all alike. A run that broke a rule of the method is void: it is reported, repeated, and
// counts for nothing.
package lab
