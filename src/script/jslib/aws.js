// The library https://jslib.k6.io/aws as a whole.
export * from 'jslib:aws-s3';
export * from 'jslib:aws-services';
