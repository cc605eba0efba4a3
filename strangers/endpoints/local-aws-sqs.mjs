// Starts local-aws-sqs on 127.0.0.1, on the port that the argument says.
import { createSqsServer } from 'local-aws-sqs';

await createSqsServer({ port: Number(process.argv[2]), hostname: '127.0.0.1' });
