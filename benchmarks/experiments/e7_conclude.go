package experiments

import (
	"fmt"
	"math"

	"kerf/benchmarks/codec"
	"kerf/benchmarks/lab"
	"kerf/benchmarks/stats"
)

// What Protobuf was expected to leave of JSON's cost: bytes, CPU of the codec, CPU per order.
var (
	leftOfBytes = band{0, 0.35}
	leftOfCPU   = band{0, 0.2}
	leftOfOrder = band{0.85, math.Inf(1)}
)

func concludeFormats(f *lab.Findings) lab.Conclusion {
	bytes, okBytes := ratioOf(resultOf(f, codec.Protobuf, formatBytes.Name))
	cpu, okCPU := ratioOf(resultOf(f, codec.Protobuf, formatCPU.Name))
	if !okBytes || !okCPU {
		return undecided(f, "JSON and Protobuf were not both measured")
	}
	needed := []string{codec.JSON, codec.Protobuf, "split-" + codec.JSON, "split-" + codec.Protobuf}
	n := resultOf(f, codec.Protobuf, formatBytes.Name).N
	outcomes := []lab.Outcome{leftOfBytes.judge(bytes), leftOfCPU.judge(cpu)}
	verdict := fmt.Sprintf("Protobuf takes %s the bytes of JSON and %s its CPU to write and read an event, n = %d", times(bytes), times(cpu), n)
	if order, blocks := between(f, "split-"+codec.JSON, "split-"+codec.Protobuf, totalPerOrder.Name); blocks > 0 {
		outcomes = append(outcomes, enough(blocks, leftOfOrder.judge(order)))
		verdict += fmt.Sprintf("; on the bus of a whole split it leaves %s of the CPU per order, n = %d", times(order), blocks)
	} else {
		verdict += "; end to end nothing was measured that counts"
	}
	c := lab.Conclusion{
		Outcome: together(outcomes), Verdict: foreword(f) + soFar(f, needed...) + verdict + ".", Remarks: formatRemarks(f), Tables: []lab.Table{sizes(f)},
	}
	if lacking(f, needed...) {
		c.Outcome = lab.Undecided
	}
	return c
}

// between is the ratio of one arm's metric to that of another which is not the baseline, with its 95 % paired bootstrap interval, and the number of blocks
// behind it: 0 if there is no ratio.
func between(f *lab.Findings, base, arm, metric string) (ratio stats.Ratio, blocks int) {
	pairs := blocksOf(f.Records, metric, base, arm)
	if ratio = stats.Compare(pairs, seedOfRatios); math.IsNaN(ratio.Value) {
		return ratio, 0
	}
	return ratio, len(pairs)
}

// seedOfRatios makes the same runs give the same intervals.
const seedOfRatios = 7

// anOrdersLife are the events of an order that goes well, in their usual order.
var anOrdersLife = []string{
	"OrderPlaced", "TicketCreated", "PaymentAuthorized", "OrderApproved", "TicketAccepted", "DeliveryScheduled", "CourierAssigned", "PreparationStarted",
	"TicketReady", "CourierArrived", "OrderPickedUp", "TicketHandedOver", "PaymentCaptured", "OrderDroppedOff", "OrderDelivered",
}

// sizes shows the bytes of an order's events, of one run: they are nearly the same in all.
func sizes(f *lab.Findings) lab.Table {
	table := lab.Table{
		Title: "Bytes of the events of an order that goes well, by format", Columns: []string{"event"},
		Note: "Mean of 20 variants each. An id takes 36 characters in every format, since the contracts have it as text. The other events are in the runs' records.",
	}
	var records []lab.Record
	for _, format := range codec.Formats {
		if of := f.Records[format]; len(of) > 0 {
			table.Columns = append(table.Columns, formatLabels[format])
			records = append(records, of[0])
		}
	}
	total := make([]float64, len(records))
	for _, event := range anOrdersLife {
		row := []string{event}
		for i, record := range records {
			bytes := record.Values[bytesOf(event)]
			total[i] += bytes
			row = append(row, number(bytes))
		}
		table.Rows = append(table.Rows, row)
	}
	row := []string{"all of them"}
	for _, bytes := range total {
		row = append(row, number(bytes))
	}
	table.Rows = append(table.Rows, row)
	return table
}

func formatRemarks(f *lab.Findings) (remarks []string) {
	for _, format := range codec.Formats {
		if result := resultOf(f, format, formatBytes.Name); result != nil {
			remarks = append(remarks, fmt.Sprintf("%s: %s an event, %s in a compressed batch; %s of CPU to write and %s to read it, with %s and %s allocations.",
				formatLabels[format], amount(result), amount(resultOf(f, format, formatZstdBatch.Name)), amount(resultOf(f, format, formatEncode.Name)),
				amount(resultOf(f, format, formatDecode.Name)), amountOf(resultOf(f, format, formatEncodeAllocs.Name)),
				amountOf(resultOf(f, format, formatDecodeAllocs.Name))))
		}
	}
	return append(remarks,
		"Ids are text of 36 characters in our contracts, which no format makes shorter: that is why fewer bytes are saved than where ids are numbers.",
		"End to end, events pass kfake and not Apache Kafka: a format changes what the modules do, not which broker it is.",
		"JSON is protojson, which the bus uses and which is slower than encoding/json on plain structs.")
}
