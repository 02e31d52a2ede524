// Package accounting moves money for orders and keeps the books.
//
// It owns the payments, one per order and addressed by the order's id (its machine is the table transitions in
// internal/transitions.go), what the provider was told, and the ledger: postings whose entries sum to zero in each currency, which
// the code and a trigger of the database both see to.
//
// It publishes PaymentAuthorized, PaymentDeclined, PaymentVoided, PaymentCaptured and PaymentRefunded, all keyed by the order's id.
// It hears nothing: the sagas in orders call it.
//
// A command that moves money takes two transactions with the provider's answer between them (internal/execute.go); what was not
// answered is looked up by due work (internal/reconcile.go). A void wins over an authorisation whose outcome is unknown: the
// payment is VOIDED at once, and an approval that comes later is released.
//
// Who gets what of a charge, and who bears a refund, stands at CapturePosting and RefundPosting in internal/ledger.go.
//
// The provider is a port. The simulator, its built-in implementation, treats a payment as its token says: tok_approve (and every
// token that is not listed), tok_decline, tok_slow, tok_timeout, tok_lost, tok_unknown, tok_unknown_declined, tok_late,
// tok_late_declined, tok_capture_timeout, tok_capture_unknown, tok_void_unknown, tok_refund_unknown, tok_expire; what each does stands
// in internal/provider/behaviour.go.
package accounting
