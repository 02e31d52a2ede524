package rules

import (
	"fmt"

	"kerf/cmd/simulate/api"
)

// Page compares an order's page with what was asked for, and the order with its payment.
func (f *Found) Page(page api.OrderPage, asked Placed) {
	if o := page.Order; o.QuoteID != asked.QuoteID || o.ConsumerID != asked.ConsumerID {
		f.Violated("I1", "order %s is not the one that was placed", asked.ID)
	}
	f.money(page)
}

func (f *Found) money(page api.OrderPage) {
	o, pay := page.Order, page.Payment
	approved := page.Ticket != nil && o.State != "PENDING" && o.State != api.Rejected
	if line[o.State] > 0 && page.Ticket == nil {
		f.Violated("I12", "order %s is %s without a ticket", o.ID, o.State)
	}
	if pay == nil {
		if approved {
			f.Violated("I12", "order %s is %s without an authorisation", o.ID, o.State)
		}
		return
	}
	if approved && (pay.State == "DECLINED" || pay.State == "CREATED") {
		f.Violated("I12", "order %s is %s, and its payment %s", o.ID, o.State, pay.State)
	}
	if pay.Captured.Amount > pay.Authorized.Amount || pay.Refunded.Amount > pay.Captured.Amount {
		f.Violated("I5", "order %s: authorised %d, captured %d, refunded %d", o.ID, pay.Authorized.Amount, pay.Captured.Amount, pay.Refunded.Amount)
	}
	if !api.Ended(o.State) {
		return
	}
	if pay.State == "AUTHORIZED" {
		f.Violated("I12", "order %s is %s, and its authorisation is still held", o.ID, o.State)
	}
	var charge int64
	if o.Charge != nil {
		charge = o.Charge.Amount
	}
	if kept := pay.Captured.Amount - pay.Refunded.Amount; kept != charge {
		f.Violated("I5", "order %s is charged %d by its end, and %d was kept", o.ID, charge, kept)
	}
	if o.State == api.Delivered && charge != o.Total.Amount {
		f.Violated("I5", "order %s was delivered for %d, and charged %d", o.ID, o.Total.Amount, charge)
	}
}

// View compares the diner's view, read anew, with the page that the owners make, and with what the stream told last.
func (f *Found) View(page api.OrderPage, view api.View, told Track) {
	id := page.Order.ID
	for _, difference := range Differences(page, view) {
		f.Violated("I8", "order %s: %s", id, difference)
	}
	if told.Sequence > view.Sequence {
		f.Violated("I8", "order %s: the view has sequence %d, and had %d", id, view.Sequence, told.Sequence)
	}
}

// silent are the states of tickets and deliveries that no event tells, with the state that was told before.
var silent = map[string]string{"AWAITING_ACCEPTANCE": "CREATED", "OFFERED": "UNASSIGNED", "RETURNED": "FAILED"}

// Differences are those of an order's view from its page. While the order moves there may be some, since the view follows after a moment.
func Differences(page api.OrderPage, view api.View) (all []string) {
	differ := func(part, viewed, owned string) {
		if viewed != owned && viewed != silent[owned] {
			all = append(all, fmt.Sprintf("%s is %q in the view and %q with its owner", part, viewed, owned))
		}
	}
	differ("status", view.Status, page.Order.State)
	if view.Ticket != nil && page.Ticket != nil {
		differ("ticket", view.Ticket.State, page.Ticket.State)
	}
	if view.Delivery != nil && page.Delivery != nil {
		differ("delivery", view.Delivery.State, page.Delivery.State)
	}
	if view.Payment != nil && page.Payment != nil {
		differ("payment", view.Payment.State, page.Payment.State)
		differ("captured", fmt.Sprint(view.Payment.Captured.Amount), fmt.Sprint(page.Payment.Captured.Amount))
	}
	return all
}
