package internal

import (
	"context"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"kerf/modules/accounting/accountingapi"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/money"
	"kerf/platform/web"
)

// Routes adds accounting's part of the public API, as accountingapi.OpenAPI describes it.
func (s *Service) Routes(e *echo.Echo) {
	e.GET("/v1/payments/:order_id", s.getPayment)
	e.GET("/v1/payments/:order_id/receipt", s.getReceipt)
	e.POST("/v1/payments/:order_id/refunds", s.postRefund)
	e.GET("/v1/payments/:order_id/refunds/:number", s.getRefund)
	e.GET("/v1/ledger", s.getLedger)
	e.GET("/v1/ledger/postings", s.getPostings)
	e.GET("/v1/ledger/statements/:owner_id", s.getStatement)
}

// backOffice are the roles that see everybody's money, and give it back.
var backOffice = []identity.Role{identity.RoleSupport, identity.RoleAdmin}

// requirePayment returns who asks for which payment, if he may see it.
func (s *Service) requirePayment(c echo.Context) (identity.Principal, *Payment, error) {
	caller, err := web.Require(c)
	if err != nil {
		return caller, nil, err
	}
	orderID, err := ids.Parse("order_id", c.Param("order_id"))
	if err != nil {
		return caller, nil, fault.NotFound("payment")
	}
	p, err := s.visible(c.Request().Context(), caller, orderID)
	return caller, p, err
}

func (s *Service) getPayment(c echo.Context) error {
	caller, p, err := s.requirePayment(c)
	if err != nil {
		return err
	}
	return web.Versioned(c, p.Version, paymentResourceOf(p, caller))
}

func (s *Service) getReceipt(c echo.Context) error {
	_, p, err := s.requirePayment(c)
	if err != nil {
		return err
	}
	if p.Captured == 0 {
		return fault.NotFound("receipt")
	}
	refunds, err := s.refundsOf(c.Request().Context(), p)
	if err != nil {
		return err
	}
	return web.Versioned(c, p.Version, receiptResourceOf(p, refunds))
}

// maxReason is how many characters of why may go with money.
const maxReason = 200

// postRefund gives money back. The command's key is derived from the request's, so that a request repeated after a crash finds what
// became of the first.
func (s *Service) postRefund(c echo.Context) error {
	caller, err := web.Require(c, backOffice...)
	if err != nil {
		return err
	}
	orderID, err := ids.Parse("order_id", c.Param("order_id"))
	if err != nil {
		return fault.NotFound("payment")
	}
	var body struct {
		Amount *money.Money `json:"amount"`
		Reason string       `json:"reason"`
	}
	if err := web.Bind(c, &body); err != nil {
		return err
	}
	var v fault.Checks
	if v.That(body.Amount != nil, "amount", "must be given") {
		v.That(body.Amount.Amount > 0, "amount.amount", "must be positive")
	}
	v.Text(body.Reason, "reason", 1, maxReason)
	if err := v.Err(); err != nil {
		return err
	}
	req := &accountingapi.RefundPaymentRequest{
		OperationKey: "refund:" + caller.Subject + ":" + orderID + ":" + c.Request().Header.Get("Idempotency-Key"),
		OrderId:      orderID, Amount: body.Amount.ToProto(), Reason: body.Reason,
	}
	return web.Once(c, s.db, func(ctx context.Context, commit web.Commit) error {
		if err := s.refund(ctx, req); err != nil {
			return err
		}
		return commit(func(_ context.Context, tx *database.Tx) (web.Answer, error) {
			r, err := scanRefund(tx.QueryRow(selectRefundByKey, req.GetOperationKey()))
			if err != nil {
				return web.Answer{}, err
			}
			body := refundResourceOf(r)
			return web.Answer{Status: http.StatusCreated, Location: body.Links["self"].Href, ETag: 1, Body: body}, nil
		})
	})
}

func (s *Service) getRefund(c echo.Context) error {
	_, p, err := s.requirePayment(c)
	if err != nil {
		return err
	}
	number, err := strconv.ParseInt(c.Param("number"), 10, 64)
	if err != nil {
		return fault.NotFound("refund")
	}
	r, err := scanRefund(s.db.QueryRow(c.Request().Context(), selectRefund, p.OrderID, refundReference(p.OrderID, number)))
	if err != nil {
		return err
	}
	return web.Versioned(c, 1, refundResourceOf(r))
}

func (s *Service) getLedger(c echo.Context) error {
	if _, err := web.Require(c, backOffice...); err != nil {
		return err
	}
	ctx := c.Request().Context()
	list, imbalance, err := balances(ctx, s.db)
	if err != nil {
		return err
	}
	sums, err := moved(ctx, s.db)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, ledgerResourceOf(list, imbalance, sums))
}

func (s *Service) getPostings(c echo.Context) error {
	if _, err := web.Require(c, backOffice...); err != nil {
		return err
	}
	page, err := web.PageOf(c)
	if err != nil {
		return err
	}
	orderID := c.QueryParam("order_id")
	if orderID != "" {
		if _, err := ids.Parse("order_id", orderID); err != nil {
			return err
		}
	}
	found, err := postings(c.Request().Context(), s.db, orderID, page.After.ID, page.Limit+1)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, web.CollectionOf(c, page, postingResourcesOf(found), cursorOf))
}

func cursorOf(p postingResource) web.Cursor { return web.Cursor{ID: p.ID} }

// getStatement shows what a restaurant or a courier has earned, and by which orders.
func (s *Service) getStatement(c echo.Context) error {
	caller, err := web.Require(c, identity.RoleRestaurant, identity.RoleCourier, identity.RoleSupport, identity.RoleAdmin)
	if err != nil {
		return err
	}
	page, err := web.PageOf(c)
	if err != nil {
		return err
	}
	ownerID, err := ids.Parse("owner_id", c.Param("owner_id"))
	if err != nil || !caller.Has(backOffice...) && !caller.Owns(ownerID) {
		return fault.NotFound("statement")
	}
	ctx := c.Request().Context()
	due, err := owed(ctx, s.db, ownerID)
	if err != nil {
		return err
	}
	found, err := statement(ctx, s.db, ownerID, page.After.ID, page.Limit+1)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, statementResource{
		OwnerID: ownerID, Balances: due, Collection: web.CollectionOf(c, page, postingResourcesOf(found), cursorOf),
	})
}
