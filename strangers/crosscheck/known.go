//go:build strangers

package main

import "regexp"

// A difference is a known one.
type difference struct {
	line *regexp.Regexp // of "CALL -> OURS | THEIRS"
	why  string
}

func when(line, why string) difference { return difference{regexp.MustCompile("(?s)" + line), why} }

// known are the known differences, by endpoint. Where AWS's API reference says what
// is right, it says so of our answer, unless the reason says otherwise:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/.
var known = map[string][]difference{
	"fauxqs": {
		when(`^SendMessage .*😀.* \| error InvalidMessageContents`,
			"it refuses characters from U+10000 on in bodies; AWS allows them"),
		when(`^SendMessageBatch .*😀.* -> `,
			"the same in a batch"),
		when(`^SendMessage .* delay=(901|-1) .* -> error InvalidParameterValue \| md5`,
			"it takes any delay; AWS takes 0 to 900 s"),
		when(`^SendMessageBatch .*/901.* -> `,
			"the same in a batch"),
		when(`^SendMessage .* (\.name|AWS\.name|When|Amount|Name)=.* -> error InvalidParameterValue \| md5`,
			"it does not check the names, types and values of message attributes"),
		when(`^(DeleteMessage|ChangeMessageVisibility) (first )?of .* -> error (ReceiptHandleIsInvalid|InvalidParameterValue|MessageNotInflight) \| (done|error MessageNotInflight)`,
			"it takes any text for a receipt handle; AWS answers ReceiptHandleIsInvalid, and InvalidParameterValue for one that has expired on a FIFO queue"),
		when(`^GetQueueAttributes \[Colour\] .* -> error InvalidAttributeName \| map\[\]`,
			"it leaves out attributes that do not exist; AWS refuses to look for them"),
		when(`^GetQueueAttributes \[\] .* -> map\[\] \| map\[Approx`,
			"it returns all attributes when none are asked for; AWS returns none"),
		when(`^(SetQueueAttributes|CreateQueue) .*map\[.*(RedrivePolicy|Colour|DelaySeconds|VisibilityTimeout|MessageRetentionPeriod|MaximumMessageSize|WaitTimeSeconds).* -> error Invalid\w+ \| (done|error Invalid)`,
			"it checks fewer values of queue attributes, or has another code for them"),
		when(`^CreateQueue "same" .* -> error QueueAlreadyExists \| error QueueNameExists`,
			"it does not send the header x-amzn-query-error with the code that SDKs show"),
		when(`^CreateQueue "(not a name|x{81})" .* -> error InvalidParameterValue \| (done|error)`,
			"it takes any name for a queue"),
		when(`^CreateQueue "" .* -> error MissingParameter \| error InvalidParameterValue`,
			"an empty name: AWS's reference does not say which of the two it is"),
		when(`^GetQueueAttributes \[Approx.* -> `,
			"DeleteMessage with the latest receipt handle of a message that is visible again deletes nothing; AWS deletes it"),
		when(`^ReceiveMessage .* \(FIFO\) -> ([2-9]|10) .* \| [12] \[`,
			"it gives one message of a group at a time; AWS gives as many of a group as it can"),
		when(`^ReceiveMessage .* attributes=\[(Name Job\.\*)?\] `,
			"it returns all message attributes when none are asked for, and knows no prefixes"),
		when(`^ReceiveMessage .* -> \d+ .* \| [1-9]\d* \[.*`,
			"a message that was deleted when it was visible again comes"),
	},
	"local-aws-sqs": {
		when(`^SendMessage.*(x01|ufffe).* -> .*InvalidMessageContents.* \| `,
			"it takes characters that AWS refuses"),
		when(`^SendMessage .*Name=String:Zoë.* -> md5 \w+ \w+ \| md5`,
			"its MD5 of attributes is wrong when a text is not ASCII"),
		when(`^(SetQueueAttributes|CreateQueue) .* -> error InvalidAttributeValue \| error InvalidParameterValue`,
			"it has another code for a value out of range"),
		when(`^CreateQueue "same" .* -> done \| error QueueAlreadyExists`,
			"CreateQueue takes attributes that are not given for their defaults; AWS compares those given"),
		when(`^CreateQueue "" .* -> error MissingParameter \| error InvalidParameterValue`,
			"an empty name: AWS's reference does not say which of the two it is"),
		when(`^TagQueue .*= untag=false .* \| error InvalidParameterValue`,
			"it refuses tags with an empty value, which AWS allows"),
		when(`^GetQueueAttributes \[Approx`,
			"it counts messages in flight, and hidden ones, as visible"),
		when(`^(ChangeMessageVisibility|DeleteMessage) .* -> error (MessageNotInflight|InvalidParameterValue) \| (done|error)`,
			"a receipt handle of a message that is visible again, or deleted: AWS answers MessageNotInflight, or InvalidParameterValue when it is gone"),
		when(`^GetQueueAttributes \[DelaySeconds .*MessageRetentionPeriod:60 .* \| .*MessageRetentionPeriod:345600`,
			"SetQueueAttributes does not set the retention period"),
		when(`^ChangeMessageVisibility .* -> done \| error ReceiptHandleIsInvalid`,
			"DeleteMessage takes a receipt handle of an earlier delivery, which on AWS deletes nothing"),
		when(`^ReceiveMessage .* \(FIFO\) -> `,
			"it gives later messages of a group while one is in flight, and forgets deduplication ids when their message is deleted"),
	},
}
