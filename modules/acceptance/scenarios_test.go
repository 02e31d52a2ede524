package acceptance

// scenarios are the specification. Each runs at the same time as all others on its server, and ends every order that it places.
var scenarios = []scenario{
	// lifecycle_test.go
	{"an order goes from quote to door", brisk, fromQuoteToDoor},
	{"a restaurant turns an order down", brisk, restaurantRejects},
	{"a ticket that nobody answers expires", hasty, ticketExpires},
	{"an order for which there is no courier is cancelled", hasty, noCourier},
	{"a courier declines and another one comes", brisk, courierDeclines},
	{"support takes an order from its courier", brisk, supportReassigns},
	{"a courier goes home and its order goes to another", brisk, courierGoesHome},
	{"a diner who is not there pays, and the food goes back", brisk, consumerAbsent},
	{"food that is spoiled on the way is refunded", brisk, foodSpoiled},
	{"a kitchen takes on no more than it can", brisk, kitchenFull},
	{"a kitchen promises a later time", brisk, kitchenDelays},

	// payment_test.go
	{"a declined card rejects the order", brisk, cardDeclined},
	{"a provider that does not answer is asked again", brisk, providerUnanswered},
	{"an outcome that nobody knows is found out", brisk, outcomeUnknown},
	{"support gives money back", brisk, supportRefunds},

	// cancel_test.go
	{"a diner cancels before the order is approved", brisk, cancelWhilePending},
	{"a diner cancels before the restaurant accepts, for free", brisk, cancelBeforeAcceptance},
	{"a diner cancels after the restaurant accepted, for the fee", brisk, cancelAfterAcceptance},
	{"a restaurant cancels what it accepted, and nobody pays", brisk, restaurantCancels},
	{"an order on its way cannot be cancelled", brisk, cancelAfterPickup},

	// quote_test.go
	{"a quote has tax, fees, modifiers and a tip", brisk, quotePrice},
	{"a quote keeps its price when the menu changes", brisk, quoteKeepsPrice},
	{"a quote is refused where the restaurant would not deliver", brisk, quoteRefused},
	{"an order that was quoted is refused when things have changed", brisk, orderRefused},
	{"a quote expires", hasty, quoteExpires},

	// household_test.go
	{"a diner keeps addresses and cards", brisk, dinerKeepsHouse},
	{"a diner is told no more than wanted", brisk, dinerMutes},
	{"a restaurant says what it is and when it is open", brisk, restaurantKeepsHouse},
	{"a menu has versions, and items run out", brisk, menuVersions},
	{"a restaurant is found by place, kitchen and words", brisk, restaurantsAreFound},
	{"support finds the couriers around a place", brisk, couriersAreFound},

	// idempotency_test.go
	{"a repeated request has the first answer and effect", brisk, sameKeySameAnswer},
	{"many requests with one key place one order", brisk, oneKeyOneOrder},
	{"edits state the version that they saw", brisk, versions},

	// ownership_test.go
	{"what is somebody else's is not found", brisk, foreignIsNotFound},
	{"tokens and roles are asked for", brisk, tokensAndRoles},

	// links_test.go
	{"every link leads its caller somewhere", brisk, linksLead},

	// requests_test.go
	{"every mutating route refuses a bad request and names the field", brisk, badRequests},
	{"every mutating route needs a token, a key and a version", brisk, routePreconditions},
	{"what is not there is a problem too", brisk, nothingThere},
	{"states move forward only", brisk, illegalSteps},

	// tracking_test.go
	{"a diner follows an order live and resumes", brisk, followLive},
	{"support follows all orders", brisk, followAll},
	{"views are rebuilt while orders go on", brisk, viewsRebuilt},
	{"lists come in pages", brisk, pages},
}
