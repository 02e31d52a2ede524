// Package tracking is the diner's view: for every order one document, folded from what orders, kitchen, delivery and accounting publish,
// with its history, in lists, and live.
//
// It owns the views, in one generation or, while they are rebuilt from the logs of the four, in two; and the log of their changes, which live
// streams are read from. A view has a section for each source, ordered by that source's event sequence, so how the sources' events interleave
// makes no difference. It publishes nothing. It hears all events of the four, and on delivery's lossy topic where couriers are, which is
// passed on to streams and kept nowhere.
package tracking
