package com.amazonaws.services.lambda.runtime.events;

import java.util.Date;
import java.util.List;

/** What is odd in AWS's classes of events: names of another case, getter and setter that disagree, no setters. */
public class ExampleEvent {
    private List<Entry> records;
    private String detailType;

    public List<Entry> getRecords() {
        return records;
    }

    public void setRecords(List<Entry> records) {
        this.records = records;
    }

    public String getDetailType() {
        return detailType;
    }

    public void setDetailType(String detailType) {
        this.detailType = detailType;
    }

    public static class Entry {
        private String sns;
        private Date at;
        private Fixed object;

        public String getSNS() {
            return sns;
        }

        public void setSns(String sns) {
            this.sns = sns;
        }

        public Date getAt() {
            return at;
        }

        public void setAt(Date at) {
            this.at = at;
        }

        public Fixed getObject() {
            return object;
        }

        public void setObject(Fixed object) {
            this.object = object;
        }
    }

    public static class Fixed {
        private final String key;
        private final Long size;

        public Fixed(String key, Long size) {
            this.key = key;
            this.size = size;
        }

        public String getKey() {
            return key;
        }

        public Long getSize() {
            return size;
        }
    }
}
