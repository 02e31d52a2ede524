// Package money is amounts in the minor units of an ISO 4217 currency, and the arithmetic that never rounds unsaid, never
// overflows unseen and never mixes currencies.
//
// Every amount stays within ±[Max], the integers that a JSON number carries exactly in any client.
package money
