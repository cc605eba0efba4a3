# A queue with its dead-letter queue, and what its producers and consumers may do, no
# more. The README of this project lists which command needs which permission.
#
#	terraform init && terraform apply -var name=donors
#
# Checked with terraform fmt; not applied on AWS by the tests of this project.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "name" {
  description = "Name of the queue. The dead-letter queue has -dead behind it."
  type        = string
}

variable "fifo" {
  description = "Whether they are FIFO queues."
  type        = bool
  default     = false
}

variable "visibility_timeout_seconds" {
  description = "How long a received message is hidden. Consumers renew it while they work, so it need only be longer than a pause of theirs."
  type        = number
  default     = 30
}

variable "max_receive_count" {
  description = "Receives after which a message is a dead letter."
  type        = number
  default     = 5
}

variable "tags" {
  description = "Tags of all that is made here."
  type        = map(string)
  default     = {}
}

locals {
  suffix = var.fifo ? ".fifo" : ""
}

resource "aws_sqs_queue" "queue" {
  name                        = "${var.name}${local.suffix}"
  fifo_queue                  = var.fifo
  content_based_deduplication = var.fifo
  visibility_timeout_seconds  = var.visibility_timeout_seconds
  receive_wait_time_seconds   = 20
  sqs_managed_sse_enabled     = true
  tags                        = var.tags
}

# Dead letters of standard queues expire by the time they were first sent, so their queue
# keeps them for as long as SQS can.
resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}-dead${local.suffix}"
  fifo_queue                = var.fifo
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

resource "aws_sqs_queue_redrive_policy" "queue" {
  queue_url = aws_sqs_queue.queue.id
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = var.max_receive_count
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.queue.arn]
  })
}

# Requests that are not encrypted on their way are refused, whoever makes them.
resource "aws_sqs_queue_policy" "encrypted" {
  for_each  = { queue = aws_sqs_queue.queue, dead = aws_sqs_queue.dead }
  queue_url = each.value.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyEncrypted"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = each.value.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

data "aws_iam_policy_document" "producer" {
  statement {
    sid       = "Send"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.queue.arn]
  }
  statement {
    sid       = "Metrics" # only produce -metrics needs it
    actions   = ["sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.queue.arn]
  }
}

data "aws_iam_policy_document" "consumer" {
  statement {
    sid = "Consume"
    actions = [
      "sqs:ReceiveMessage",
      "sqs:DeleteMessage",
      "sqs:ChangeMessageVisibility",
      "sqs:GetQueueAttributes",
    ]
    resources = [aws_sqs_queue.queue.arn]
  }
  statement {
    sid       = "Bury" # what can never be handled, at once and with the reason
    actions   = ["sqs:SendMessage", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.dead.arn]
  }
}

resource "aws_iam_policy" "producer" {
  name   = "${var.name}-producer"
  policy = data.aws_iam_policy_document.producer.json
  tags   = var.tags
}

resource "aws_iam_policy" "consumer" {
  name   = "${var.name}-consumer"
  policy = data.aws_iam_policy_document.consumer.json
  tags   = var.tags
}

output "queue_url" {
  description = "For BUS_URL."
  value       = aws_sqs_queue.queue.id
}

output "dead_letter_url" {
  description = "For -dead-letter."
  value       = aws_sqs_queue.dead.id
}

output "producer_policy_arn" {
  description = "To attach to the role of producers."
  value       = aws_iam_policy.producer.arn
}

output "consumer_policy_arn" {
  description = "To attach to the role of consumers."
  value       = aws_iam_policy.consumer.arn
}
