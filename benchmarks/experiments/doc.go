// Package experiments are the questions of the laboratory: a file for each, with the question, what is expected, what is compared, how a run is made
// and how the runs are judged.
//
// Most runs are made in the same way, which is in trial.go: a topology is started on fresh data, a small town moves in, orders come at a steady rate,
// and a window of that counts. What a file adds is its arms and its conclusion.
package experiments
