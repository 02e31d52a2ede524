// Package stats says how certain a comparison of a few runs is: the interval of a median, the interval of a ratio of medians, what several comparisons
// with one baseline do to it, and what counts as different.
//
// The run is the unit: each gives one number, and whatever happened within it adds no evidence. An effect is told as a ratio of medians with its
// interval (Kalibera and Jones, Quantifying Performance Changes with Effect Size Confidence Intervals, 2012), which says how large it is as
// well as whether it is there. The interval is a bootstrap's (Efron and Tibshirani, An Introduction to the Bootstrap, 1993): blocks of runs made side
// by side are drawn again with replacement, 10,000 times, so that a slow hour that met both arms of a block stays with both.
//
// With few runs the plain percentile interval is a little too narrow: simulated with normal noise it covers a ratio of medians in 93.6 % of cases
// for 6 blocks and in 95.7 % for 12, where 95 % were promised. So its tails are those that Student's t leaves beyond the quantile rather than the
// normal distribution (the correction of Hesterberg, What Teachers Should Know About the Bootstrap, 2015, without its factor for the variance of a mean,
// which the bootstrap of a median does not need): it then covers 97.1 % and 97.8 %, and errs on the side of not seeing a difference. Six blocks cannot
// promise more than some 97 %, whatever the method: six differences of one sign happen by chance in 3 of 100 cases. TestIntervalsCover repeats the simulation.
package stats
